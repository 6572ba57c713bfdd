/**
 * One run whose arms train in several workers: each of the page's commands goes to the workers that it concerns, and their messages
 * are merged into those that one worker would send.
 *
 * Arms stay in step: none trains beyond a measured step before all have been measured there. The arms are thus seen side by side,
 * and a class sees them compete.
 *
 * @typedef {import("../contract/types.js").Command} Command
 * @typedef {import("../contract/types.js").Message} Message
 * @typedef {import("../contract/types.js").RunEvent} RunEvent
 * @typedef {Extract<Command, {type: "start" | "resume"}>} Beginning
 * @typedef {{type: "event", event: Extract<RunEvent, {type: "run"}>}} RunMessage
 * @typedef {{post: (command: Command) => void}} Worker
 * @typedef {{worker: Worker, models: string[], state: import("../contract/types.js").RunState, asked: number, waits: number | null,
 *   seconds: number | null}} Part
 *   `asked`: commands that it has not yet answered by saying that it runs; `waits`: the step at which it waits for the others;
 *   `seconds`: how long its arms took, once they are done
 */
import { BASE } from "../contract/data.js";
import { shareOut } from "./shares.js";

/** Until a run has begun, these messages are about the previous one. */
const OF_BEFORE = new Set(/** @type {Message["type"][]} */ (["event", "state", "waiting", "snapshot"]));

export class SharedRun {
  /**
   * @param {Beginning} command
   * @param {number} run its number
   * @param {Worker[]} workers the leading one first; no more than there are arms
   * @param {(message: Message) => void} say
   */
  constructor(command, run, workers, say) {
    const { arms, measure_every: every } = command.settings;
    this.run = run;
    this.ids = arms.map(({ id }) => id);
    this.every = every;
    this.say = say;
    /** @type {Part[]} */
    this.parts = shareOut(arms, workers.length).map((ids, i) => {
      const models = i === 0 ? [BASE, ...ids] : ids;
      return { worker: workers[i], models, state: "preparing", asked: 0, waits: null, seconds: null };
    });
    /** What each says of the beginning, its `run` event or why there is none; null once all have. @type {Map<Part, Message> | null} */
    this.beginnings = new Map();
    /** What some say of the run before all have begun. @type {[Worker, Message][]} */
    this.held = [];
    /** The step up to which the arms may go. */
    this.goal = every;
    this.isPlaying = false;
    /** The state that was said last. */
    this.said = "";
    /** The question that is being answered, and how many workers have more to say. */
    this.asking = { id: -1, left: 0 };
    /** @type {Set<string>} */
    this.errors = new Set();
    for (const { worker, models } of this.parts) worker.post({ ...command, share: { run, models } });
  }

  has(/** @type {Worker} */ worker) {
    return this.parts.some((part) => part.worker === worker);
  }

  /** The worker that has an arm. */
  ownerOf(/** @type {string} */ arm) {
    return (this.parts.find(({ models }) => models.includes(arm)) ?? this.parts[0]).worker;
  }

  post(/** @type {Command} */ command) {
    this.errors.clear();
    if (command.type === "play") return this.play(this.parts);
    if (command.type === "step") return this.step(command);
    if ("arm" in command && command.arm != null) return this.ownerOf(command.arm).post(command);
    if (command.type === "pause") this.isPlaying = false;
    if (command.type === "ask" && command.question !== "") this.asking = { id: command.id, left: this.parts.length };
    for (const { worker } of this.parts) worker.post(command);
  }

  /** @private */
  play(/** @type {Part[]} */ parts) {
    this.isPlaying = true;
    const until = this.parts.length > 1 ? this.goal : null;
    for (const part of parts) {
      part.asked += 1;
      part.waits = null;
      part.worker.post({ type: "play", until });
    }
  }

  /** @private */
  step(/** @type {Extract<Command, {type: "step"}>} */ command) {
    this.isPlaying = false;
    for (const part of this.parts) {
      if (command.arm != null && !part.models.includes(command.arm)) continue;
      part.asked += 1;
      part.worker.post(command);
    }
  }

  /** Takes a message of one of the workers. */
  receive(/** @type {Worker} */ worker, /** @type {Message} */ message) {
    const part = this.parts.find((one) => one.worker === worker);
    if (!part) return;
    if (!this.beginnings) return this.take(part, message);
    if (this.beginnings.has(part)) return void this.held.push([worker, message]);
    if (message.type === "error" || (message.type === "event" && message.event.type === "run" && message.event.run === this.run)) {
      this.beginnings.set(part, message);
      if (this.beginnings.size === this.parts.length) this.begin([...this.beginnings.values()]);
    } else if (!OF_BEFORE.has(message.type)) this.take(part, message);
  }

  /** All have answered. @private */
  begin(/** @type {Message[]} */ answers) {
    const { held } = this;
    [this.beginnings, this.held] = [null, []];
    const errors = answers.filter((answer) => answer.type === "error");
    // There is no such run; where some have begun it, they are no crew any more.
    if (errors.length > 0) return this.say(errors.length < answers.length ? { ...errors[0], name: "worker" } : errors[0]);
    this.say(this.joined(/** @type {RunMessage[]} */ (answers)));
    for (const [worker, message] of held) this.receive(worker, message);
  }

  /** What all have said of the run, as one of them would say it. @private @returns {Message} */
  joined(/** @type {RunMessage[]} */ answers) {
    const infos = answers.flatMap(({ event }) => event.arms);
    const arms = this.ids.flatMap((id) => infos.find(({ arm }) => arm === id) ?? []);
    return { type: "event", event: { ...answers[0].event, arms } };
  }

  /** @private */
  take(/** @type {Part} */ part, /** @type {Message} */ message) {
    if (message.type === "event") return this.takeEvent(part, message.event);
    if (message.type === "state") return this.takeState(part, message.state);
    if (message.type === "error") return this.fail(part, message);
    if (message.type === "waiting") {
      part.waits = message.step;
      return this.goOn();
    }
    if (message.type === "progress" && message.stage === "base" && part !== this.parts[0]) return; // each measures it
    if (message.type === "asked" && message.id === this.asking.id) {
      this.asking.left -= 1;
      if (this.asking.left > 0) return;
    }
    this.say(message);
  }

  /** @private */
  takeEvent(/** @type {Part} */ part, /** @type {RunEvent} */ event) {
    if (!("run" in event) || event.run !== this.run || event.type === "run") return;
    if (event.type !== "done") return this.say({ type: "event", event });
    part.seconds = event.seconds;
    const seconds = this.parts.map((one) => one.seconds ?? NaN);
    if (seconds.some(Number.isNaN)) return this.goOn();
    this.say({ type: "event", event: { ...event, seconds: Math.max(...seconds) } });
  }

  /** @private */
  takeState(/** @type {Part} */ part, /** @type {import("../contract/types.js").RunState} */ state) {
    if (state === "running" || state === "done") part.asked = Math.max(0, part.asked - 1);
    part.state = state;
    const is = (/** @type {string} */ name) => this.parts.some((one) => one.state === name);
    const isAsked = this.parts.some((one) => one.asked > 0);
    const all = isAsked || is("running") ? "running" : is("preparing") ? "preparing" : is("paused") ? "paused" : "done";
    if (all === this.said && (all === "running" || all === "preparing")) return;
    this.said = all;
    this.say({ type: "state", state: all });
  }

  /** Once all wait, they may go as far as the next measurement. @private */
  goOn() {
    const open = this.parts.filter((part) => part.seconds === null);
    const least = Math.min(...open.map((part) => part.waits ?? -1));
    if (!this.isPlaying || open.length === 0 || least < 0) return;
    this.goal = (Math.floor(least / this.every) + 1) * this.every;
    this.play(open);
  }

  /** One has failed: the others stop, too, and an error that all of them have is said once. @private */
  fail(/** @type {Part} */ part, /** @type {Extract<Message, {type: "error"}>} */ message) {
    this.isPlaying = false;
    part.asked = 0;
    for (const other of this.parts) if (other !== part) other.worker.post({ type: "pause" });
    if (this.errors.has(message.message)) return;
    this.errors.add(message.message);
    this.say(message);
  }

  /** Another run was to begin and has not: all stand still. */
  rest() {
    this.isPlaying = false;
    for (const part of this.parts) [part.state, part.asked, part.waits] = [part.seconds === null ? "paused" : "done", 0, null];
  }
}

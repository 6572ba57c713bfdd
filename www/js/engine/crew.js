/**
 * The engine of the page: a leading worker, and on the CPU engine further ones, in which other arms of a run train. It is used as one
 * worker is (engine.js).
 *
 * Each further worker is the whole engine once more, with the same model from the same files. It is started when a run needs it, and
 * kept for the next one. One that cannot start, or has no room for the model, only makes the crew smaller; one that fails while it
 * trains is the engine's failure.
 *
 * @typedef {import("../contract/types.js").Command} Command
 * @typedef {import("../contract/types.js").Message} Message
 * @typedef {Pick<Engine, "start" | "stop" | "post">} Worker
 * @typedef {(take: (message: Message) => void, silence: (isSilent: boolean) => void) => Worker} Make
 * @typedef {Extract<Command, {type: "load"}>} Load
 * @typedef {{hardwareConcurrency?: number, deviceMemory?: number}} Machine
 */
import { Engine } from "./engine.js";
import { Saves } from "./saves.js";
import { mostWorkers } from "./shares.js";
import { SharedRun } from "./shared-run.js";

/** A run waits this long for further workers. */
const PATIENCE_MS = 10_000;
/** Messages about a run, whichever worker sends them. */
const OF_RUN = new Set(
  /** @type {Message["type"][]} */ (["event", "state", "waiting", "progress", "experiment", "answering", "answer", "asked", "snapshot", "error"]),
);

/** A worker of the crew. */
class Member {
  constructor(/** @type {Crew} */ crew) {
    this.worker = crew.make(
      (message) => crew.receive(this, message),
      (isSilent) => crew.hear(this, isSilent),
    );
    /** Whether it has the model. */
    this.isReady = false;
    this.settle = () => {};
    /** Resolves once it has the model, or never will. @type {Promise<void>} */
    this.settled = new Promise((resolve) => (this.settle = () => resolve()));
  }

  post(/** @type {Command} */ command) {
    this.worker.post(command);
  }
}

export class Crew {
  /**
   * @param {(message: Message) => void} say called with every message after `listening`
   * @param {(isSilent: boolean) => void} onSilence called when a worker has not answered for a minute, and when all do again
   * @param {{workers?: number, machine?: Machine, make?: Make}} options `workers`: the most to use, in place of the number of cores
   */
  constructor(say, onSilence, { workers, machine = globalThis.navigator, make = (...hooks) => new Engine(...hooks) } = {}) {
    this.say = say;
    this.onSilence = onSilence;
    this.make = make;
    /** How many workers there may be for a base of so many bytes. */
    this.mostFor = (/** @type {number} */ bytes) =>
      mostWorkers({ wanted: workers, cores: machine.hardwareConcurrency, gigabytes: machine.deviceMemory, bytes });
    this.leader = new Member(this);
    /** @type {Member[]} */
    this.others = [];
    /** Those that do not answer. @type {Set<Member>} */
    this.silent = new Set();
    /** How many workers there may be. */
    this.most = 1;
    /** The model that was asked for, and the one that is loaded. @type {Load | null} */
    this.asked = null;
    /** @type {Load | null} */
    this.loaded = null;
    /** What all are to hold, by name. @type {Map<string, Extract<Command, {type: "add_adapter"}>>} */
    this.adapters = new Map();
    this.saves = new Saves({
      take: (from, message) => this.receive(/** @type {Member} */ (from), message),
      say,
      keep: (name, files, blobs) => this.post({ type: "add_adapter", name, files, blobs }),
    });
    /** The run that was begun last; null where one worker goes through an experiment's, or there is none. @type {SharedRun | null} */
    this.run = null;
    /** That worker. */
    this.alone = this.leader;
    /** The run before, while another is to begin. @type {{run: SharedRun | null, alone: Member} | null} */
    this.before = null;
    /** The number of the newest run. */
    this.runs = 0;
    /** What was posted while a run waits for workers. @type {Command[] | null} */
    this.queue = null;
  }

  /** Ends all but the leading worker. @private */
  disband() {
    this.others.forEach((other) => this.dismiss(other));
    this.adapters.clear();
    this.saves.clear();
    [this.run, this.alone, this.before, this.queue] = [null, this.leader, null, null];
  }

  /** Starts the leading worker and waits until it listens. */
  start() {
    return this.leader.worker.start();
  }

  /** Ends all workers, whatever they do. */
  stop() {
    this.disband();
    this.leader.worker.stop();
  }

  /** How many workers train the run that was begun last. */
  get size() {
    return this.run?.parts.length ?? 1;
  }

  post(/** @type {Command} */ command) {
    if (this.queue) return void this.queue.push(command);
    switch (command.type) {
      case "load":
        this.asked = command;
        return this.leader.post(command);
      case "warm_up":
        this.hire(command.settings.arms.length);
        return this.leader.post(command);
      case "start":
      case "resume":
        return void this.begin(command);
      case "experiment":
        return this.goAlone(this.leader, command);
      case "counterfactual":
        return this.goAlone(this.ownerOf(command.arm), command);
      case "play":
      case "pause":
      case "step":
      case "ask":
      case "snapshot":
      case "strength":
      case "look":
        return (this.run ?? this.alone).post(command);
      case "save":
        return this.saves.ask(this.ownerOf(command.arm), command.arm, null);
      case "keep_adapter":
        if (this.most > 1) return this.saves.ask(this.ownerOf(command.arm), command.arm, command.name);
        return this.leader.post(command);
      case "add_adapter":
      case "remove_adapter":
        this.adapters.delete(command.name);
        if (command.type === "add_adapter") this.adapters.set(command.name, command);
        for (const member of this.members) member.post(command);
        return;
      default:
        return this.leader.post(command);
    }
  }

  /** Those that have the model. @private */
  get members() {
    return [this.leader, ...this.others.filter(({ isReady }) => isReady)];
  }

  /** @private */
  ownerOf(/** @type {string} */ arm) {
    return /** @type {Member} */ (this.run?.ownerOf(arm) ?? this.alone);
  }

  /** Whether the engine depends on a worker, so that its failure is the engine's. @private */
  isAtWork(/** @type {Member} */ member) {
    return member === this.leader || member === this.alone || this.run?.has(member) === true;
  }

  /** Begins a run, once the workers are there. @private */
  async begin(/** @type {import("./shared-run.js").Beginning} */ command) {
    const size = this.hire(command.settings.arms.length);
    const awaited = this.others.slice(0, size - 1).filter(({ isReady }) => !isReady);
    if (awaited.length > 0) {
      const queue = (this.queue = /** @type {Command[]} */ ([]));
      let timer;
      const patience = new Promise((resolve) => (timer = setTimeout(resolve, PATIENCE_MS)));
      await Promise.race([Promise.all(awaited.map(({ settled }) => settled)), patience]);
      clearTimeout(timer);
      if (this.queue !== queue) return; // all was ended meanwhile
      this.queue = null;
      this.launch(command, size);
      queue.forEach((later) => this.post(later));
    } else this.launch(command, size);
  }

  /** @private */
  launch(/** @type {import("./shared-run.js").Beginning} */ command, /** @type {number} */ size) {
    const team = this.members.slice(0, size);
    const { run, alone } = this;
    this.before ??= { run, alone };
    this.rest(team);
    this.runs += 1;
    this.run = new SharedRun(command, this.runs, team, (message) => this.tell(message));
  }

  /** One worker goes through an experiment's runs. @private */
  goAlone(/** @type {Member} */ member, /** @type {Command} */ command) {
    const { run, alone } = this;
    this.before ??= { run, alone };
    this.rest([member]);
    [this.run, this.alone] = [null, member];
    member.post(command);
  }

  /** Those that are not in `team` have nothing to do. @private */
  rest(/** @type {Member[]} */ team) {
    for (const member of this.members) if (!team.includes(member)) member.post({ type: "pause" });
  }

  /** Starts the workers that a run of this many arms lacks. Returns how many will train it if all start. @private */
  hire(/** @type {number} */ arms) {
    const size = Math.min(arms, this.most);
    while (this.others.length < size - 1) {
      const member = new Member(this);
      this.others.push(member);
      const { loaded } = this;
      member.worker.start().then(
        () => loaded && member.post({ ...loaded, backend: "cpu" }),
        () => this.dismiss(member),
      );
    }
    return size;
  }

  /** Ends a worker and does not replace it. @private */
  dismiss(/** @type {Member} */ member) {
    if (!this.others.includes(member)) return; // it was before
    member.worker.stop();
    this.others = this.others.filter((other) => other !== member);
    this.most = Math.min(this.most, 1 + this.others.length);
    this.saves.drop(member);
    member.settle();
  }

  /** A worker has not answered for a minute, or it does again. */
  hear(/** @type {Member} */ member, /** @type {boolean} */ isSilent) {
    if (!isSilent) this.silent.delete(member);
    else if (this.isAtWork(member)) this.silent.add(member);
    else return this.dismiss(member);
    this.onSilence(this.silent.size > 0);
  }

  /** Takes a message of one of the workers. */
  receive(/** @type {Member} */ from, /** @type {Message} */ message) {
    if (from !== this.leader && !this.others.includes(from)) return;
    if (this.saves.takes(from, message)) return;
    if (message.type === "ready") return from === this.leader ? this.lead(message) : this.join(from);
    if (from !== this.leader && (message.type === "refused" || message.type === "error")) {
      const hasEnded = message.type === "error" && message.name === "worker";
      if (!from.isReady || (hasEnded && !this.isAtWork(from))) return this.dismiss(from);
    }
    if (message.type === "event" && message.event.type === "run") this.runs = Math.max(this.runs, message.event.run);
    if (message.type === "adapters" && from === this.leader) {
      const held = message.adapters.map(({ name }) => name);
      for (const name of this.adapters.keys()) if (!held.includes(name)) this.adapters.delete(name);
    }
    if (message.type === "error") this.saves.drop(from);
    if (OF_RUN.has(message.type)) {
      if (this.run?.has(from)) return this.run.receive(from, message);
      if (from === this.alone && !this.run) return this.tell(message);
      if (message.type !== "error") return;
    }
    if (from === this.leader) this.say(message);
  }

  /** Says what concerns a run; where none begins, the run before stays. @private */
  tell(/** @type {Message} */ message) {
    const hasBegun = message.type === "event" && message.event.type === "run";
    if (this.before && message.type === "error") {
      Object.assign(this, this.before);
      this.run?.rest();
    }
    if (hasBegun || message.type === "error") this.before = null;
    this.say(message);
  }

  /** The leading worker has a model: those of the one before can go. @private */
  lead(/** @type {Extract<Message, {type: "ready"}>} */ message) {
    this.disband();
    this.loaded = this.asked;
    this.most = message.engine === "cpu" ? this.mostFor(message.memory) : 1;
    this.say(message);
  }

  /** @private */
  join(/** @type {Member} */ member) {
    member.isReady = true;
    for (const command of this.adapters.values()) member.post(command);
    member.settle();
  }
}

/**
 * What the arms of this visit's runs had come to when they were measured: from there a run goes on, or another one leaves it.
 * Bounded; the oldest go first, since they are the soonest to train again.
 *
 * @typedef {import("./store.js").Run} Run
 * @typedef {import("../contract/types.js").RunEvent} RunEvent
 * @typedef {{arm: string, step: number, blob: Blob, file: string}} ArmState  `file`: its name where states are kept
 */
import { BASE } from "../contract/data.js";

/** Bytes of all states; the browser holds Blobs on disk where they are many. */
const ROOM = 600e6;

export class ArmStates {
  constructor(room = ROOM) {
    this.room = room;
    /** In the order in which they came. @type {{run: Run, state: ArmState}[]} */
    this.all = [];
    this.count = 0;
    /** Tells the files of one visit from those of another. */
    this.visit = Date.now().toString(36);
  }

  add(/** @type {Run} */ run, /** @type {string} */ arm, /** @type {number} */ step, /** @type {Blob} */ blob) {
    this.count += 1;
    this.hold(run, { arm, step, blob, file: `${this.visit}-${this.count}.safetensors` });
  }

  /** Adds a state under the name that it has. */
  hold(/** @type {Run} */ run, /** @type {ArmState} */ state) {
    this.all = this.all.filter((one) => one.run !== run || one.state.arm !== state.arm || one.state.step !== state.step);
    this.all.push({ run, state });
    let bytes = this.all.reduce((sum, one) => sum + one.state.blob.size, 0);
    while (bytes > this.room && this.all.length > 1) bytes -= this.all.shift()?.state.blob.size ?? 0;
  }

  /** Of a run, in the order in which they came. @returns {ArmState[]} */
  of(/** @type {Run | null} */ run) {
    return this.all.filter((one) => one.run === run).map(({ state }) => state);
  }

  /** The newest state of each arm, in the run's order; null where one has none. @returns {ArmState[] | null} */
  newest(/** @type {Run} */ run) {
    return whole(run, newestOf(run.settings.arms, this.of(run)));
  }

  /** The states of all arms at a step; null where one has none there. @returns {ArmState[] | null} */
  at(/** @type {Run} */ run, /** @type {number} */ step) {
    return whole(run, newestOf(run.settings.arms, this.of(run).filter((state) => state.step === step)));
  }

  /** The last step, at most `step`, at which every arm has a state; null where there is none. */
  stepUpTo(/** @type {Run | null} */ run, /** @type {number} */ step) {
    if (!run) return null;
    const steps = new Set(this.of(run).map((state) => state.step).filter((at) => at <= step));
    return [...steps].sort((a, b) => b - a).find((at) => this.at(run, at)) ?? null;
  }
}

/** The states where every arm of a run has one. */
const whole = (/** @type {Run} */ run, /** @type {ArmState[]} */ states) => (states.length === run.settings.arms.length ? states : null);

/** The newest of these states of each arm that has one, in the arms' order. @returns {ArmState[]} */
export function newestOf(/** @type {{id: string}[]} */ arms, /** @type {ArmState[]} */ states) {
  return arms.flatMap(({ id }) => states.findLast(({ arm }) => arm === id) ?? []);
}

/** What was said up to these states, of their arms and of none. @returns {RunEvent[]} */
export function eventsUpTo(/** @type {RunEvent[]} */ events, /** @type {ArmState[]} */ states) {
  const steps = new Map(states.map(({ arm, step }) => [arm, step]));
  const isBefore = (/** @type {{arm: string, step: number}} */ { arm, step }) => arm === BASE || step <= (steps.get(arm) ?? -1);
  return events.filter((event) => !("arm" in event && "step" in event) || isBefore(event));
}

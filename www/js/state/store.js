/**
 * The one store of the page. Live events, the recorded example and an imported file all pass through `apply`;
 * every view reads what is shown at the chosen step from here.
 *
 * @typedef {import("../contract/types.js").RunEvent} RunEvent
 * @typedef {import("../contract/types.js").Measure} Measure
 * @typedef {import("../contract/types.js").ShiftText} ShiftText
 * @typedef {import("../contract/types.js").WeightsEvent} WeightsEvent
 * @typedef {import("../contract/types.js").Strength} Strength
 * @typedef {Extract<RunEvent, {type: "run"}>} Run
 * @typedef {Extract<RunEvent, {type: "summary"}>} Summary
 * @typedef {Extract<RunEvent, {type: "counterfactual"}>} Check
 * @typedef {{steps: import("../contract/types.js").StepEvent[], tokens: number[], measures: Measure[],
 *   texts: ShiftText[], weights: WeightsEvent[], strengths: Strength[]}} ArmLog
 *   `tokens[i]`: response tokens up to and with `steps[i]`; weights and strengths as their events came
 * @typedef {{label: string, place: number, log: ArmLog}} Overlay
 * @typedef {{kind: "none" | "recorded" | "live" | "kept" | "imported", engine: string, instructions: string | null}} Source
 *   `kept`: it trained here before
 */
import { BASE } from "../contract/data.js";
import { fixed } from "../ui/format.js";
import { t } from "../ui/text.js";

/** How many entries have a `step` of at most `step`; entries are in order of step. */
function countUpTo(/** @type {{step: number}[]} */ entries, /** @type {number} */ step) {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (entries[middle].step <= step) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The last entry whose `step` is at most `step`, or null.
 * @template {{step: number}} T
 * @param {T[]} entries
 * @param {number} step
 * @returns {T | null}
 */
export function lastUpTo(entries, step) {
  return entries[countUpTo(entries, step) - 1] ?? null;
}

/** @returns {ArmLog} */
const emptyLog = () => ({ steps: [], tokens: [], measures: [], texts: [], weights: [], strengths: [] });

export class Store {
  /** @type {Run | null} */
  run = null;
  /** Of the base, where an arm starts elsewhere. @type {Measure | null} */
  base = null;
  /** By id, in the run's order. @type {Map<string, ArmLog>} */
  arms = new Map();
  /** Their ids. @type {string[]} */
  allNames = [];
  /** Ids of those that are shown; all of them where every one is muted. @type {string[]} */
  armNames = [];
  /** Everything of this run, for export. @type {RunEvent[]} */
  events = [];
  /** Checks of the shown run's borrowed answers, one per arm. @type {Check[]} */
  checks = [];
  isDone = false;
  seconds = NaN;
  newest = 0;
  /** Step chosen with the slider; null follows the newest. @type {number | null} */
  pinned = null;
  /** Step under the pointer, before `pinned`. @type {number | null} */
  hovered = null;

  constructor() {
    /** @type {Source} */
    this.source = { kind: "none", engine: "", instructions: null };
    /** Grows with every change of the data, so that a view can tell whether it has to redraw. */
    this.version = 0;
    /** The same without optimiser steps, of which there are many and which most views don't show. */
    this.measuredVersion = 0;
    /** @type {Summary | null} */
    this.summary = null;
    /** Where the summary comes from; it outlives the run it came with. */
    this.summaryEngine = "";
    /** @type {Source["kind"]} */
    this.summaryKind = "none";
    /** The facts that its counterfactual checks refer to. @type {import("../contract/types.js").WallFact[]} */
    this.summaryFacts = [];
    /** @type {Set<(isStep: boolean) => void>} */
    this.listeners = new Set();
    /** Ids of arms that no view shows. @type {string[]} */
    this.muted = [];
    /** Arms of other runs that charts show too. @type {Overlay[]} */
    this.overlays = [];
  }

  clear() {
    this.run = null;
    this.arms = new Map();
    this.allNames = this.armNames = [];
    this.events = [];
    this.checks = [];
    this.isDone = false;
    this.seconds = NaN;
    this.newest = 0;
    this.pinned = null;
    this.hovered = null;
    this.base = null;
  }

  /** Calls `listener` after every change; `isStep`: an arm has taken an optimiser step, and nothing else has happened. */
  subscribe(/** @type {(isStep: boolean) => void} */ listener) {
    this.listeners.add(listener);
  }

  changed(isStep = false) {
    for (const listener of this.listeners) listener(isStep);
  }

  /** Shows a whole record instead of the current run; one that only holds a summary leaves the run. */
  open(/** @type {import("../contract/types.js").RunRecord} */ record, /** @type {"recorded" | "imported"} */ kind) {
    const source = { kind, engine: record.engine, instructions: record.instructions ?? null };
    const hasRun = record.events.some((event) => event.type === "run");
    this.show(record.events, hasRun ? source : this.source, source);
  }

  /** Shows the events of a run, or of a summary that comes `from` elsewhere. */
  show(/** @type {RunEvent[]} */ events, /** @type {Source} */ source, from = source) {
    this.source = source;
    for (const event of [...events]) this.take(event, from.engine, from.kind);
    this.version += 1;
    this.changed();
  }

  /** Arms of other runs that charts show too. */
  overlay(/** @type {Overlay[]} */ overlays) {
    if (overlays.length === 0 && this.overlays.length === 0) return;
    this.overlays = overlays;
    this.version += 1;
    this.measuredVersion += 1;
    this.changed();
  }

  /** Whether the run that is shown is a record's. */
  holds(/** @type {import("../contract/types.js").RunRecord} */ { events }) {
    return this.run !== null && events.includes(this.run);
  }

  /** A live run begins, or goes on after `earlier` events: its `run` event replaces what was shown. */
  startLive(
    /** @type {Run} */ run,
    /** @type {string} */ engine,
    /** @type {string} */ instructions,
    /** @type {RunEvent[]} */ earlier = [],
  ) {
    this.source = { kind: "live", engine, instructions };
    this.take(run, engine, "live");
    for (const event of earlier) {
      if (event.type !== "run" && event.type !== "done" && "run" in event) this.take({ ...event, run: run.run }, engine, "live");
    }
    this.version += 1;
    this.changed();
  }

  /** Adds one event. */
  apply(/** @type {RunEvent} */ event) {
    this.take(event, this.source.engine, this.source.kind);
    this.version += 1;
    this.changed(event.type === "step" && this.log(event.arm).strengths.length === 0); // a step makes a dosed arm whole again
  }

  /** @private */
  take(/** @type {RunEvent} */ event, /** @type {string} */ engine, /** @type {Source["kind"]} */ kind) {
    if (event.type !== "step") this.measuredVersion += 1;
    if (event.type === "summary") {
      this.summary = event;
      this.summaryEngine = engine;
      this.summaryKind = kind;
      this.summaryFacts = this.run?.facts ?? [];
      return;
    }
    if (event.type === "run") {
      this.clear();
      this.run = event;
      for (const { id } of event.settings.arms) this.arms.set(id, emptyLog());
      this.nameArms();
    }
    if (event.type === "counterfactual") {
      if (!this.run) return;
      this.checks = [...this.checks.filter((check) => check.arm !== event.arm), event];
      this.events.push(event);
      return;
    }
    // Late events of a run that has been replaced.
    if (!this.run || event.run !== this.run.run) return;
    this.events.push(event);
    if (event.type === "done") {
      this.isDone = true;
      this.seconds = event.seconds;
    }
    if (event.type === "measure" && event.arm === BASE) this.base = event;
    const log = "arm" in event ? this.arms.get(event.arm) : undefined;
    if (!log || !("step" in event)) return;
    if (event.type === "step") {
      log.steps.push(event);
      log.tokens.push((log.tokens.at(-1) ?? 0) + event.tokens);
    }
    if (event.type === "measure") log.measures.push(event);
    if (event.type === "text") log.texts.push(event);
    if (event.type === "weights") log.weights.push(event);
    if (event.type === "strength") log.strengths.push({ ...event, intruders: event.intruders ?? 1 }); // not in older records
    this.newest = Math.max(this.newest, event.step);
  }

  /** The step that every view shows. */
  get step() {
    return Math.min(this.hovered ?? this.pinned ?? this.newest, this.newest);
  }

  /** Where charts end, from a run's first step on. */
  get lastStep() {
    const others = this.overlays.map(({ log }) => log.steps.at(-1)?.step ?? 0);
    return Math.max(1, this.newest, this.run?.settings.steps ?? 0, ...others);
  }

  get isFollowing() {
    return this.pinned === null;
  }

  /** The place of an arm in the run's list, which is its colour; the base's is -1. */
  placeOf(/** @type {string} */ id) {
    return this.allNames.indexOf(id);
  }

  /** The arm at a place; null where there is none, or it is muted. */
  armAt(/** @type {number} */ place) {
    const id = this.allNames[place];
    return id !== undefined && this.armNames.includes(id) ? id : null;
  }

  /** @private */
  nameArms() {
    this.allNames = [...this.arms.keys()];
    const shown = this.allNames.filter((id) => !this.muted.includes(id));
    this.armNames = shown.length > 0 ? shown : this.allNames;
  }

  /** An arm as a reader names it. */
  label(/** @type {string} */ id) {
    if (id === BASE) return t("store.base");
    return this.run?.settings.arms.find((arm) => arm.id === id)?.label ?? id;
  }

  /** "LoRA 0.14, Full 0.20" of the arms that are shown. */
  perArm(/** @type {(id: string) => string} */ write) {
    return this.armNames.map((id) => `${this.label(id)} ${write(id)}`).join(", ");
  }

  /** What an arm of this run has recorded. */
  log(/** @type {string} */ id) {
    return this.arms.get(id) ?? emptyLog();
  }

  /** Hides arms from every view; they go on training. */
  mute(/** @type {string[]} */ ids) {
    if (ids.join() === this.muted.join()) return;
    this.muted = ids;
    this.nameArms();
    this.version += 1;
    this.measuredVersion += 1;
    this.changed();
  }

  pin(/** @type {number | null} */ step) {
    const next = step === null ? null : Math.max(0, Math.min(this.newest, Math.round(step)));
    if (next === this.pinned && this.hovered === null) return;
    this.pinned = next;
    this.hovered = null;
    this.changed();
  }

  hover(/** @type {number | null} */ step) {
    const next = step === null ? null : Math.max(0, Math.min(this.newest, Math.round(step)));
    if (next === this.hovered) return;
    this.hovered = next;
    this.changed();
  }

  /** The newest measure of an arm at the chosen step. */
  measure(/** @type {string} */ arm, step = this.step) {
    return lastUpTo(this.arms.get(arm)?.measures ?? [], step);
  }

  /** What an arm's change was last multiplied by where the arm stands at the chosen step; null where it is whole. */
  dose(/** @type {string} */ arm, step = this.step) {
    const dose = this.log(arm).strengths.at(-1);
    const isThere = dose !== undefined && dose.step === (this.trained(arm, step)?.step ?? 0);
    return isThere && (dose.strength !== 1 || dose.intruders !== 1) ? dose : null;
  }

  /** The measure of an arm at the chosen step as it answers there: with its dose. */
  dosed(/** @type {string} */ arm) {
    return this.dose(arm)?.measure ?? this.measure(arm);
  }

  /** An arm as a reader names it, with its dose. */
  dosedLabel(/** @type {string} */ arm) {
    const { strength, intruders } = this.dose(arm) ?? { strength: 1, intruders: 1 };
    const parts = [this.label(arm)];
    if (strength !== 1) parts.push(`λ ${fixed(strength, 1)}`);
    if (intruders !== 1) parts.push(t("store.intruders", { share: fixed(intruders, 2) }));
    return parts.join(", ");
  }

  /** How an arm's weights differ from the base's at the chosen step. */
  weights(/** @type {string} */ arm, step = this.step) {
    return lastUpTo(this.arms.get(arm)?.weights ?? [], step);
  }

  /** Whether there is anything to show but optimiser steps: a live run takes its first ones before it is measured. */
  get isMeasured() {
    return this.armNames.some((arm) => this.measure(arm));
  }

  /** The step of the measures that are shown. */
  get measuredStep() {
    return Math.max(0, ...this.armNames.map((arm) => this.measure(arm)?.step ?? 0));
  }

  /** The measure before training: the base model. */
  start(arm = this.armNames[0]) {
    if (this.base) return this.base;
    const first = arm === undefined ? null : this.log(arm).measures[0];
    return first && first.step === 0 ? first : null;
  }

  /** Optimiser step of an arm at the chosen step. */
  trained(/** @type {string} */ arm, step = this.step) {
    return lastUpTo(this.arms.get(arm)?.steps ?? [], step);
  }

  /** The newest `most` steps of an arm up to the chosen one, and the tokens up to there. */
  recent(/** @type {string} */ arm, /** @type {number} */ most, step = this.step) {
    const { steps, tokens } = this.log(arm);
    const end = countUpTo(steps, step);
    return { steps: steps.slice(Math.max(0, end - most), end), tokens: tokens[end - 1] ?? 0 };
  }

  /** Questions whose answers were recorded, in order of appearance. */
  get questions() {
    const texts = this.armNames.flatMap((arm) => this.log(arm).texts);
    return [...new Set(texts.map((text) => text.question))];
  }

  /** An arm's answer to `question` at the chosen step. */
  text(/** @type {string} */ arm, /** @type {string} */ question, step = this.step) {
    const texts = this.arms.get(arm)?.texts ?? [];
    const dose = this.dose(arm, step);
    if (dose) return dose.text?.question === question ? dose.text : null; // measured for one question
    return lastUpTo(
      texts.filter((text) => text.question === question),
      step,
    );
  }

  /** A recall figure of a measure. */
  static recall(
    /** @type {Measure | null | undefined} */ measure,
    /** @type {import("../contract/types.js").Split} */ split,
    /** @type {import("../contract/types.js").RecallForm} */ form,
  ) {
    return measure?.recall.find((entry) => entry.split === split && entry.form === form && entry.n > 0) ?? null;
  }
}

/**
 * The engine's run as one value, and what can happen to it. Nothing here touches the page or the engine.
 *
 * @typedef {import("../contract/types.js").RunState} Phase
 * @typedef {{instructions: string, heldout: string, probes: string}} Texts  `probes`: own facts, "" for the built-in ones
 * @typedef {Texts & {settings: import("./settings.js").Settings | null}} Plan  what a run is made with
 * @typedef {{name: string, label: string, done: number, total: number, since: number, isOver: boolean}} Experiment
 *   `name`: the preset, or "check" for the counterfactual check of one arm; `since`: when its first run began, milliseconds
 * @typedef {{kind: "none"}} None  what is shown is no run of the engine
 * @typedef {{kind: "live", phase: Phase, wants: "play" | "pause", isConfirmed: boolean, shown: Plan | null,
 *   next: Plan | null, experiment: Experiment | null}} Live
 *   `wants`: what the visitor asked for last; `isConfirmed`: the engine has said that it runs; `shown` and `next`: what
 *   the run on the page and the one that is being prepared were started with; `experiment`: what the run is part of
 * @typedef {None | Live} Run
 */

/** @type {Run} */
export const NONE = Object.freeze({ kind: "none" });

/** A run was asked for. @returns {Live} */
export function begun(
  /** @type {Run} */ run,
  /** @type {Plan} */ next,
  /** @type {Live["wants"]} */ wants,
  /** @type {Experiment | null} */ experiment = null,
) {
  const shown = run.kind === "live" ? run.shown : null;
  return { kind: "live", phase: "preparing", wants, isConfirmed: false, shown, next, experiment };
}

/** The visitor pressed Play or Pause. @returns {Run} */
export function wanted(/** @type {Run} */ run, /** @type {Live["wants"]} */ wants) {
  return run.kind === "live" ? { ...run, wants, isConfirmed: wants === "play" ? false : run.isConfirmed } : run;
}

/** The engine has said what it does. @returns {Run} */
export function phased(/** @type {Run} */ run, /** @type {Phase} */ phase) {
  if (run.kind === "none") return run;
  const isConfirmed = run.isConfirmed || phase === "running";
  const isOver = phase === "done" || (phase === "paused" && isConfirmed);
  return { ...run, phase, isConfirmed, wants: isOver ? "pause" : run.wants };
}

/** The run that was asked for is there. @returns {Run} */
export function arrived(/** @type {Run} */ run) {
  return run.kind === "live" ? { ...run, shown: run.next, next: null } : run;
}

/** An experiment goes on, or has ended. @returns {Run} */
export function advanced(
  /** @type {Run} */ run,
  /** @type {{label: string, done: number, total: number}} */ { label, done, total },
  /** @type {number} */ now,
) {
  if (run.kind === "none" || !run.experiment) return run;
  const { since } = run.experiment;
  return { ...run, experiment: { ...run.experiment, label, done, total, since: Number.isNaN(since) ? now : since, isOver: label === "" && done === total } };
}

/** The engine has failed; a run that is `isShown` stays on the page. @returns {Run} */
export function failed(/** @type {Run} */ run, /** @type {boolean} */ isShown) {
  if (run.kind === "none" || !isShown) return NONE;
  const experiment = run.experiment && { ...run.experiment, isOver: true };
  return { ...run, phase: "paused", wants: "pause", next: null, experiment };
}

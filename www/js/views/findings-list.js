/** How far an experiment is. */
import { count, duration } from "../ui/format.js";

export const MOST_SEEDS = 3;

/** Below this part of an experiment nothing is said of the time that is left. */
const TOO_EARLY = 0.02;

/** "Run 3 of 24: best rate, as they are, seed 1. About 4 min left" */
export function experimentNote(
  /** @type {import("../state/run-control.js").RunControl} */ control,
  now = performance.now(),
) {
  const { experiment, store } = control;
  if (!experiment || !control.isExperimenting) return "";
  const { label, done, total, since } = experiment;
  if (total === 0) return "Starting the experiment";
  const part = (done + store.newest / store.lastStep) / total;
  const seconds = ((now - since) * (1 - part)) / part / 1000;
  const left = part > TOO_EARLY ? `. About ${duration(seconds)} left` : "";
  return `Run ${count(Math.min(done + 1, total))} of ${count(total)}: ${label}${left}`;
}

/** How far an experiment is. */
import { count } from "../ui/format.js";

export const MOST_SEEDS = 3;

/** "Run 3 of 24: best rate, as they are, seed 1" */
export function experimentNote(/** @type {import("../state/run-control.js").RunControl} */ control) {
  const { experiment } = control;
  if (!experiment || !control.isExperimenting) return "";
  const { label, done, total } = experiment;
  if (total === 0) return "Starting the experiment";
  return `Run ${count(Math.min(done + 1, total))} of ${count(total)}: ${label}`;
}

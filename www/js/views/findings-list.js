/** How far an experiment is. */
import { count, duration } from "../ui/format.js";
import { t } from "../ui/text.js";

export const MOST_SEEDS = 5;

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
  if (total === 0) return t("findings-list.starting");
  const part = (done + store.newest / store.lastStep) / total;
  const seconds = ((now - since) * (1 - part)) / part / 1000;
  const values = { run: count(Math.min(done + 1, total)), total: count(total), label, left: duration(seconds) };
  return part > TOO_EARLY ? t("findings-list.run-left", values) : t("findings-list.run", values);
}

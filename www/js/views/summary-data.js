/**
 * What a summary shows for one way of comparing the arms. Nothing here touches the page.
 *
 * @typedef {Extract<import("../contract/types.js").RunEvent, {type: "summary"}>} Summary
 * @typedef {import("../contract/types.js").SummaryRow} SummaryRow
 * @typedef {import("../contract/types.js").Fairness} Fairness
 * @typedef {import("../contract/types.js").Counterfactual} Counterfactual
 */
import { FAIRNESS, METRICS } from "../contract/data.js";
import { percent } from "../ui/format.js";
import { t } from "../ui/text.js";

/** Figures that every summary shows first, where it has them. */
const CORE = ["heldout_loss", "recall_cloze", "borrowed", "unshifted", "kl"];

/** The ways to compare that a summary has. */
export function waysOf(/** @type {Summary} */ summary) {
  const all = [...summary.rows, ...(summary.comparisons ?? [])];
  return FAIRNESS.map(({ name }) => name).filter((name) => all.some((entry) => entry.fairness === name));
}

/** The way that is shown first: each arm's best rate is the fairest one that nothing has to be looked up for. */
export function firstWay(/** @type {Summary} */ summary) {
  const ways = waysOf(summary);
  return ways.includes("best_rate") ? "best_rate" : (ways[0] ?? null);
}

/**
 * Those of `entries` that stand for `way`, and those that stand for none (the base, older records).
 * @template {{fairness?: Fairness | null}} T
 * @param {T[]} entries
 * @param {Fairness | null} way
 */
export function ofWay(entries, way) {
  return entries.filter((entry) => !way || !entry.fairness || entry.fairness === way);
}

/** The figures that some row has: those that the comparisons are about first, then the core ones, then the others. */
export function columnsOf(/** @type {Summary} */ summary, /** @type {SummaryRow[]} */ rows) {
  const asked = (summary.comparisons ?? []).flatMap(({ a, b }) => [a.metric, b.metric]);
  const has = METRICS.filter(({ name }) => rows.some((row) => row.figures[name]));
  const isMain = (/** @type {import("../contract/types.js").MetricData} */ { name }) =>
    CORE.includes(name) || asked.includes(name);
  const isOld = (summary.comparisons ?? []).length === 0;
  return { main: isOld ? has : has.filter(isMain), more: isOld ? [] : has.filter((metric) => !isMain(metric)) };
}

/**
 * The courses that belong to a way. Equal held-out loss is looked up in the runs at the best rates; of a sweep,
 * the best rates are those of the rows.
 */
export function checkpointsOf(/** @type {Summary} */ summary, /** @type {Fairness | null} */ way) {
  const all = summary.checkpoints ?? [];
  const runs = way === "equal_loss" ? "best_rate" : way;
  const own = all.filter((point) => !runs || !point.fairness || point.fairness === runs);
  if (own.length > 0 || !runs) return own;
  const rates = new Set(summary.rows.filter((row) => row.fairness === runs).map((row) => `${row.arm} ${row.lr}`));
  return all.filter((point) => rates.has(`${point.arm} ${point.lr}`));
}

/**
 * Checkpoints run by run: one list in order of step for each condition, arm, rate and seed.
 * @param {import("../contract/types.js").Checkpoint[]} checkpoints
 */
export function coursesOf(checkpoints) {
  /** @type {Map<string, import("../contract/types.js").Checkpoint[]>} */
  const courses = new Map();
  for (const point of checkpoints) {
    const key = [point.condition, point.fairness, point.arm, point.lr, point.seed].join("|");
    const course = courses.get(key);
    if (course) course.push(point);
    else courses.set(key, [point]);
  }
  return [...courses.values()].map((points) => points.toSorted((a, b) => a.step - b.step));
}

/**
 * A row of the instruction set by its number (from 0); after the set's last row come those that the settings added.
 * @param {number} number
 * @param {{question: string, answer: string}[] | null} rows null where the set is not known
 * @param {[string, string][]} added
 */
export function sourceRow(number, rows, added = []) {
  if (!rows) return null;
  if (number < rows.length) return { ...rows[number], isAdded: false };
  const extra = added[number - rows.length];
  return extra ? { question: extra[0], answer: extra[1], isAdded: true } : null;
}

/** "Of 12 answers whose rows were swapped, 9 followed …" */
export function checkSentence(/** @type {Counterfactual} */ { swapped, control }, /** @type {string} */ label) {
  const { followed, n } = swapped;
  const found = t("summary-data.swapped", { arm: label, n, followed, share: percentOf(followed, n) });
  if (control.n === 0) return `${found} ${t("summary-data.no-control")}`;
  const { unchanged } = control;
  return `${found} ${t("summary-data.control", { n: control.n, unchanged, share: percentOf(unchanged, control.n) })}`;
}

/** " (75 %)", after a figure. */
const percentOf = (/** @type {number} */ part, /** @type {number} */ n) =>
  n > 0 ? ` (${percent(part / n, 0)})` : "";

/**
 * What a summary shows for one way of comparing the arms. Nothing here touches the page.
 *
 * @typedef {import("./protocol.js").Summary} Summary
 * @typedef {import("./protocol.js").SummaryRow} SummaryRow
 * @typedef {import("./protocol.js").Fairness} Fairness
 */
import { ARM_LABEL, count, percent, plural } from "./format.js";

/** The ways to compare, as a reader names them. @type {{name: Fairness, label: string, help: string}[]} */
export const FAIRNESS = [
  {
    name: "same_rate",
    label: "same learning rate",
    help: "Both arms train at one rate, whether it suits them or not.",
  },
  {
    name: "best_rate",
    label: "each arm's best rate",
    help: "Each arm trains at the rate that gave it the lowest held-out loss in the sweep.",
  },
  {
    name: "equal_loss",
    label: "equal held-out loss",
    help: "Each arm is looked at where it has learned the instructions equally well, at its best rate.",
  },
];

/** The readings of a comparison: word and sign, never colour alone. */
export const READINGS = {
  supports: { word: "agrees with the claim", sign: "✓" },
  contradicts: { word: "speaks against the claim", sign: "✗" },
  no_difference: { word: "no difference", sign: "=" },
  one_seed: { word: "one seed: a direction only", sign: "?" },
};

/** Every figure that a row can have: label, whether it is a share. In the order of src/lab/metric.rs. */
export const METRICS = [
  { name: "heldout_loss", label: "Held-out loss", isShare: false },
  { name: "recall_cloze", label: "Recall, cloze", isShare: true },
  { name: "recall_asked", label: "Recall, asked", isShare: true },
  { name: "recall_seen", label: "Recall of seen facts", isShare: true },
  { name: "recall_new_cloze", label: "Recall of new facts, cloze", isShare: true },
  { name: "recall_new", label: "Recall of new facts, asked", isShare: true },
  { name: "borrowed", label: "Borrowed", isShare: true },
  { name: "other", label: "Other candidate", isShare: true },
  { name: "malformed", label: "Malformed", isShare: true },
  { name: "borrowed_of_errors", label: "Borrowed, of errors", isShare: true },
  { name: "borrowed_by_chance", label: "Borrowed by chance, of errors", isShare: true },
  { name: "unshifted", label: "Unshifted", isShare: true },
  { name: "marginal", label: "Marginal", isShare: true },
  { name: "shifted", label: "Shifted", isShare: true },
  { name: "kl", label: "KL", isShare: false },
  { name: "kl_early", label: "KL, first 5 tokens", isShare: false },
  { name: "kl_late", label: "KL, later tokens", isShare: false },
  { name: "kl_opener", label: "KL, opener", isShare: false },
  { name: "kl_style", label: "KL, style", isShare: false },
  { name: "kl_fact", label: "KL, fact", isShare: false },
  { name: "shifted_opener", label: "Shifted, opener", isShare: true },
  { name: "shifted_style", label: "Shifted, style", isShare: true },
  { name: "shifted_fact", label: "Shifted, fact", isShare: true },
  { name: "format", label: "Set's format", isShare: true },
  { name: "right", label: "Right answer", isShare: true },
  { name: "conversation", label: "Right and in format", isShare: true },
];

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

/** Those of `entries` that stand for `way`, and those that stand for none (the base, older records). */
export function ofWay(entries, /** @type {Fairness | null} */ way) {
  return entries.filter((entry) => !way || !entry.fairness || entry.fairness === way);
}

/** The figures that some row has: those that the comparisons are about first, then the core ones, then the others. */
export function columnsOf(/** @type {Summary} */ summary, /** @type {SummaryRow[]} */ rows) {
  const asked = (summary.comparisons ?? []).flatMap(({ a, b }) => [a.metric, b.metric]);
  const has = METRICS.filter(({ name }) => rows.some((row) => row[name]));
  const isMain = ({ name }) => CORE.includes(name) || asked.includes(name);
  const isOld = (summary.comparisons ?? []).length === 0;
  return { main: isOld ? has : has.filter(isMain), more: isOld ? [] : has.filter((metric) => !isMain(metric)) };
}

/** How often each reading occurs. */
export function tally(comparisons) {
  const counts = { supports: 0, contradicts: 0, no_difference: 0, one_seed: 0 };
  for (const { reading } of comparisons) counts[reading] += 1;
  return counts;
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
 * @param {import("./protocol.js").Checkpoint[]} checkpoints
 */
export function coursesOf(checkpoints) {
  /** @type {Map<string, import("./protocol.js").Checkpoint[]>} */
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
 * A row of the instruction set by its number (from 0); behind the set's last row come those that the settings added.
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
export function checkSentence(/** @type {import("./protocol.js").Check} */ { arm, swapped, control }) {
  const beside =
    control.n > 0
      ? ` Of ${plural(control.n, "control")}, whose rows stayed as they were, ${count(control.unchanged)} stayed the same${percentOf(control.unchanged, control.n)}.`
      : " No answer was left as a control.";
  return `${ARM_LABEL[arm]}: of ${plural(swapped.n, "borrowed answer")} whose source rows were swapped, ${count(swapped.followed)} followed the swap${percentOf(swapped.followed, swapped.n)}.${beside}`;
}

const percentOf = (part, n) => (n > 0 ? ` (${percent(part / n, 0)})` : "");

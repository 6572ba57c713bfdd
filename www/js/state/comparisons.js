/**
 * What an experiment's figures say, in the page's language: the sentences that `lab/comparison.rs` writes into the record in
 * English, made anew from the figures beside them.
 *
 * @typedef {Extract<import("../contract/types.js").RunEvent, {type: "summary"}>} Summary
 * @typedef {import("../contract/types.js").Comparison} Comparison
 * @typedef {import("../contract/types.js").ComparedSide} ComparedSide
 */
import { BASE, FAIRNESS, METRICS, READINGS } from "../contract/data.js";
import { fixed, signed } from "../ui/format.js";
import { t, textOr } from "../ui/text.js";

/** How often each reading occurs. */
export function tally(/** @type {Comparison[]} */ comparisons) {
  const counts = { supports: 0, contradicts: 0, no_difference: 0, one_seed: 0 };
  for (const { reading } of comparisons) counts[reading] += 1;
  return counts;
}

/** An arm of a summary: its name, and its place in the list. */
export function summaryArm(/** @type {Summary} */ summary, /** @type {string} */ id) {
  if (id === BASE) return { label: t("store.base"), place: -1 };
  const place = summary.arms.findIndex((arm) => arm.id === id);
  return { label: summary.arms[place]?.label ?? id, place: Math.max(0, place) };
}

/** What was done to data or method, as a reader names it. */
export const conditionName = (/** @type {string} */ condition) => textOr(`condition.${condition}`, condition);

/** What the figures say about the claim; an older record, which has no comparisons, says it itself. */
export function verdictOf(/** @type {Summary} */ { comparisons = [], verdict }) {
  const n = comparisons.length;
  if (n === 0 || verdict === "") return verdict;
  const { supports, contradicts, no_difference, one_seed } = tally(comparisons);
  if (one_seed === n) return t("comparisons.single-seeds", { n });
  const found = t("comparisons.verdict", { n, supports, contradicts, none: no_difference + one_seed });
  const corrected = comparisons.flatMap(({ p_holm }) => p_holm ?? []);
  return corrected.length === 0 ? found : `${found} ${t("comparisons.holm", { n: corrected.filter((p) => p < 0.05).length })}`;
}

/** "At same rate: KL to the base, nats per token: LoRA 0.47 ± 0.02, full 0.89 ± 0.10; difference …: agrees with the claim." */
export function comparisonText(/** @type {Summary} */ summary, /** @type {Comparison} */ comparison) {
  const { fairness, a, b, difference, margin, noise, p, p_holm, reading } = comparison;
  const arm = (/** @type {string} */ id) => summaryArm(summary, id).label;
  const [isOneArm, isOneCondition, isOneMetric] = [a.arm === b.arm, a.condition === b.condition, a.metric === b.metric];
  const side = (/** @type {ComparedSide} */ one) => {
    const condition = conditionName(one.condition);
    const figure = spread(one);
    if (!isOneArm && isOneCondition) return `${arm(one.arm)} ${figure}`;
    if (!isOneArm) return `${condition} (${arm(one.arm)}) ${figure}`;
    return `${isOneCondition ? metric(one).label : condition} ${figure}`;
  };
  const way = FAIRNESS.find(({ name }) => name === fairness);
  const head = [
    way && t("comparisons.at", { way: textOr(`fairness.${way.name}.label`, way.label) }),
    isOneArm && arm(a.arm),
    isOneMetric && metric(a).label,
  ].filter(Boolean);
  const { scale, digits } = metric(a);
  const write = (/** @type {number} */ value) => fixed(scale * value, digits);
  const values = { difference: signed(scale * difference, digits), margin: write(margin ?? NaN), noise: write(noise ?? NaN) };
  const { length: of } = summary.comparisons?.filter((one) => one.p_holm != null) ?? [];
  const chance = p == null || p_holm == null ? "" : t("comparisons.chance", { p: probability(p), adjusted: probability(p_holm), of });
  return t("comparisons.sentence", {
    head: head.map((part) => `${part}: `).join(""),
    a: side(a),
    b: side(b),
    difference: margin == null || noise == null ? t("comparisons.one-seed", values) : t("comparisons.difference", values) + chance,
    reading: readingOf(reading).label,
  });
}

/** "p = 0.012" */
const probability = (/** @type {number} */ p) => (p < 0.001 ? `p < ${fixed(0.001, 3)}` : `p = ${fixed(p, 3)}`);

/** What a reading is called, and its sign. */
export function readingOf(/** @type {string} */ wanted) {
  const { name, label, sign } = READINGS.find((reading) => reading.name === wanted) ?? READINGS[0];
  return { label: textOr(`reading.${name}`, label), sign };
}

/** What a side is measured by, with its unit, and how its figures are written. */
function metric(/** @type {ComparedSide} */ side) {
  const { name, long, is_share } = METRICS.find((one) => one.name === side.metric) ?? METRICS[0];
  return { label: textOr(`metric-long.${name}`, long), scale: is_share ? 100 : 1, digits: is_share ? 1 : 2 };
}

/** "87.0 ± 2.6": shares in percent. */
function spread(/** @type {ComparedSide} */ side) {
  const { scale, digits } = metric(side);
  return `${fixed(scale * side.spread.mean, digits)} ± ${fixed(scale * side.spread.sd, digits)}`;
}

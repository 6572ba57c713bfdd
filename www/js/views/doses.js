/** What was measured at each dose of an arm's change: charts along the number that was changed last, and a table. */
import { find, table } from "../ui/dom.js";
import { count, fixed, nats, percent } from "../ui/format.js";
import { writeLegend } from "../ui/swatch.js";
import { t } from "../ui/text.js";
import { metricOf } from "../state/metrics.js";
import { Scatter } from "./scatter.js";

/**
 * @typedef {import("../state/store.js").Store} Store
 * @typedef {import("../contract/types.js").Strength} Strength
 * @typedef {Pick<Strength, "strength" | "intruders">} Dose
 * @typedef {Dose & Pick<Strength, "arm" | "step" | "heldout_loss" | "kl" | "unshifted" | "recall_cloze">} Measured
 * @typedef {{name: string, label: string, pick: (dose: Measured) => number, highest?: number}} Figure
 */

/** @type {Figure[]} */
const FIGURES = [
  { name: "strength-recall", label: t("strength.recall-by-dose"), pick: (m) => 100 * m.recall_cloze, highest: 101 },
  { name: "strength-kl", label: t("strength.kl-by-dose"), pick: (m) => m.kl },
  { name: "strength-loss", label: t("strength.loss-by-dose"), pick: (m) => m.heldout_loss },
];

/** @type {Record<keyof Dose, {xLabel: string, xRange: [number, number]}>} */
const AXES = {
  strength: { xLabel: t("strength.axis"), xRange: [0, 2.05] },
  intruders: { xLabel: t("strength.axis-intruders"), xRange: [0, 1.02] },
};

export class DoseFigures {
  constructor(/** @type {Store} */ store) {
    this.store = store;
    this.host = find("#strength-results");
    this.charts = FIGURES.map((spec) => {
      const figure = find(`[data-figure="${spec.name}"]`, this.host);
      const { label, highest } = spec;
      const look = { yLabel: "", label, isPercent: highest !== undefined, highest, span: highest ? 10 : 0.1 };
      return { spec, legend: find(".legend", figure), chart: new Scatter(find(".plot", figure), { ...look, ...AXES.strength }) };
    });
  }

  draw() {
    const { store } = this;
    const doses = newestDoses(store);
    this.host.hidden = doses.length === 0;
    if (doses.length === 0) return;
    const { axis, other, at } = axisOf(store);
    const arms = [...new Set(doses.map((dose) => dose.arm))];
    const legend = arms.map((arm) => ({ place: store.placeOf(arm), label: store.label(arm) }));
    const shown = doses.filter((dose) => dose[other] === at).sort((a, b) => a[axis] - b[axis]);
    for (const { spec, legend: host, chart } of this.charts) {
      writeLegend(host, legend);
      chart.axes = { ...chart.axes, ...AXES[axis] };
      chart.draw(
        arms.map((arm) => ({
          place: store.placeOf(arm),
          points: shown
            .filter((dose) => dose.arm === arm)
            .map((dose) => ({ x: dose[axis], y: spec.pick(dose), title: this.title(dose), isLarge: true })),
        })),
      );
    }
    find("#strength-table").replaceChildren(this.table(doses));
  }

  /** @private */
  title(/** @type {Measured} */ dose) {
    return t("strength.point", {
      arm: this.store.label(dose.arm),
      strength: fixed(dose.strength, 1),
      intruders: fixed(dose.intruders),
      recall: percent(dose.recall_cloze),
      kl: nats(dose.kl),
      loss: nats(dose.heldout_loss),
    });
  }

  /** @private */
  table(/** @type {Measured[]} */ doses) {
    const columns = ["arm", "step", "strength", "intruders", "recall", "kl", "loss", "unshifted"];
    const rows = doses.map((dose) => [
      this.store.label(dose.arm),
      count(dose.step),
      fixed(dose.strength, 1),
      fixed(dose.intruders),
      percent(dose.recall_cloze),
      nats(dose.kl),
      nats(dose.heldout_loss),
      percent(dose.unshifted),
    ]);
    return table(t("strength.caption"), columns.map((name) => t(`strength.column.${name}`)), rows);
  }
}

/** All doses of the step at which each arm was last dosed, the newest of each, and the arm itself as it was measured there. */
function newestDoses(/** @type {Store} */ store) {
  return store.armNames.flatMap((arm) => {
    const { strengths, measures } = store.log(arm);
    const last = strengths.at(-1);
    if (!last) return [];
    const whole = measures.find(({ step }) => step === last.step);
    const all = [...(whole ? [asDose(whole)] : []), ...strengths.filter(({ step }) => step === last.step)];
    const byDose = new Map(all.map((dose) => [`${dose.strength} ${dose.intruders}`, dose]));
    return [...byDose.values()].sort((a, b) => a.strength - b.strength || a.intruders - b.intruders);
  });
}

/** A measure of an arm without a dose. @returns {Measured} */
function asDose(/** @type {import("../contract/types.js").Measure} */ measure) {
  const { arm, step, heldout_loss, shift } = measure;
  const figures = { unshifted: metricOf("unshifted", measure), recall_cloze: metricOf("recall_cloze", measure) };
  return { arm, step, strength: 1, intruders: 1, heldout_loss, kl: shift.kl, ...figures };
}

/**
 * The number of the newest dose that was changed, and at what the other one stands.
 * @returns {{axis: keyof Dose, other: keyof Dose, at: number}}
 */
function axisOf(/** @type {Store} */ store) {
  const last = store.events.findLast((event) => event.type === "strength");
  const all = last ? store.log(last.arm).strengths : [];
  const [now, before] = [all.at(-1), all.at(-2)];
  const isOfIntruders = now !== undefined && now.intruders !== (before?.intruders ?? 1);
  return isOfIntruders
    ? { axis: "intruders", other: "strength", at: now.strength }
    : { axis: "strength", other: "intruders", at: now?.intruders ?? 1 };
}

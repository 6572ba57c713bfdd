/**
 * What the figures of learning, drift and rates show, as points: nothing here touches the page.
 *
 * @typedef {import("../contract/types.js").Checkpoint} Checkpoint
 * @typedef {import("../state/store.js").Summary} Summary
 * @typedef {import("./scatter.js").Axes} Axes
 * @typedef {import("./scatter.js").Curve} Curve
 * @typedef {Pick<Checkpoint, "heldout_loss" | "recall_cloze" | "kl" | "kl_task" | "recall_new">} Figures
 * @typedef {{axes: Axes, x: (point: Figures) => number, y: (point: Figures) => number, write: (point: Figures) => string}} View
 * @typedef {{name: "trade-off" | "drift", view: (kind: Kind) => View}} Spec
 * @typedef {{hasNew: boolean, hasTask: boolean}} Kind  `hasNew`: new facts are what is learned; `hasTask`: KL on the new task was measured
 */
import { nats, percent } from "../ui/format.js";
import { t } from "../ui/text.js";
import { Store } from "../state/store.js";
import { summaryArm } from "../state/comparisons.js";
import { coursesOf } from "./summary-data.js";

/** Recall covers at least this many percent, so that the spread of a few facts does not fill the figure. */
const SPAN = 10;

/** A sweep has at least this many rates. */
const FEWEST_RATES = 3;

/** @type {View} */
const BY_LOSS = {
  axes: {
    xLabel: t("trade-off.axis.loss"),
    yLabel: "",
    label: t("trade-off.label.trade-off"),
    isReversed: true,
    isPercent: true,
    highest: 101,
    span: SPAN,
  },
  x: (point) => point.heldout_loss,
  y: (point) => 100 * point.recall_cloze,
  write: (point) => t("trade-off.figures.trade-off", { loss: nats(point.heldout_loss), share: percent(point.recall_cloze) }),
};

/** @type {View} */
const BY_NEW_FACTS = {
  ...BY_LOSS,
  axes: { ...BY_LOSS.axes, xLabel: t("trade-off.axis.new"), isReversed: false },
  x: (point) => 100 * (point.recall_new ?? NaN),
  write: (point) =>
    t("trade-off.figures.new", { learned: percent(point.recall_new), share: percent(point.recall_cloze) }),
};

/** @type {View} */
const BY_OWN_KL = {
  axes: { xLabel: t("trade-off.axis.kl"), yLabel: "", label: t("trade-off.label.drift"), isPercent: true, span: SPAN },
  x: (point) => point.kl,
  y: (point) => 100 - 100 * point.recall_cloze,
  write: (point) => t("trade-off.figures.drift", { kl: nats(point.kl), share: percent(1 - point.recall_cloze) }),
};

/** @type {View} */
const BY_TASK_KL = {
  ...BY_OWN_KL,
  axes: { ...BY_OWN_KL.axes, xLabel: t("trade-off.axis.kl-task") },
  x: (point) => point.kl_task ?? NaN,
  write: (point) => t("trade-off.figures.drift", { kl: nats(point.kl_task), share: percent(1 - point.recall_cloze) }),
};

/** @type {Spec[]} */
export const FIGURES = [
  { name: "trade-off", view: ({ hasNew }) => (hasNew ? BY_NEW_FACTS : BY_LOSS) },
  { name: "drift", view: ({ hasTask }) => (hasTask ? BY_TASK_KL : BY_OWN_KL) },
];

/** The measures of the shown run up to the chosen step, as checkpoints. @returns {Checkpoint[]} */
export function liveCheckpoints(/** @type {Store} */ store) {
  const { run } = store;
  if (!run) return [];
  return store.armNames.flatMap((arm) => {
    const lr = run.settings.arms.find((spec) => spec.id === arm)?.lr ?? NaN;
    const measures = store.log(arm).measures.filter((measure) => measure.step <= store.step);
    return measures.map((measure) => {
      const [recall, fresh] = [Store.recall(measure, "kept", "cloze"), Store.recall(measure, "new", "asked")];
      return {
        condition: t("trade-off.run-shown"),
        fairness: null,
        arm,
        lr,
        seed: run.settings.seed,
        step: measure.step,
        heldout_loss: measure.heldout_loss,
        recall_cloze: recall ? recall.correct / recall.n : NaN,
        kl: measure.shift.kl,
        kl_task: measure.kl_task,
        recall_new: fresh ? fresh.correct / fresh.n : undefined,
      };
    });
  });
}

/** What there is to be shown of these points. @returns {Kind} */
export function kindOf(/** @type {Checkpoint[]} */ points, /** @type {Summary | null} */ summary) {
  const hasTask = points.length > 0 && points.every((point) => typeof point.kl_task === "number");
  return { hasTask, hasNew: summary?.goal === "recall_new" };
}

/** Each arm's frontier as a line that falls in steps. @returns {Curve[]} */
export function frontierCurves(/** @type {Summary} */ summary) {
  const share = summary.goal === "recall_new" ? 100 : 1;
  return (summary.frontiers ?? []).map(({ arm, corners }) => ({
    place: summaryArm(summary, arm).place,
    points: corners.flatMap(([x, y], i) => {
      const point = { x: share * x, y: 100 * y };
      const next = corners[i + 1];
      // What is kept falls as soon as more is learned than here.
      return next ? [point, { x: point.x, y: 100 * next[1] }] : [point];
    }),
  }));
}

/** The fitted parabola of a summary over the divergences from 0 to `most`. @returns {Curve[]} */
export function fitCurve(/** @type {Summary} */ summary, /** @type {boolean} */ ofTask, /** @type {number} */ most) {
  const fit = (summary.fits ?? []).find(({ metric }) => metric === (ofTask ? "kl_task" : "kl"));
  if (!fit || !(most > 0)) return [];
  const [a, b, c] = fit.coefficients;
  const at = Array.from({ length: 41 }, (_, i) => (most * i) / 40);
  return [{ place: -1, points: at.map((x) => ({ x, y: Math.max(0, 100 * (a + b * x + c * x * x)) })) }];
}

/** The last checkpoints of each arm and seed in the order of their rates; nothing of fewer than three rates. */
export function ratesOf(/** @type {Summary | null} */ summary) {
  /** @type {Map<string, Checkpoint[]>} */
  const ends = new Map();
  for (const course of coursesOf((summary?.checkpoints ?? []).filter(({ strength }) => typeof strength !== "number"))) {
    const end = course[course.length - 1];
    const key = `${end.arm}|${end.seed}`;
    ends.set(key, [...(ends.get(key) ?? []), end]);
  }
  const byRate = [...ends.values()].map((points) => points.toSorted((a, b) => a.lr - b.lr));
  return byRate.filter((points) => new Set(points.map(({ lr }) => lr)).size >= FEWEST_RATES);
}

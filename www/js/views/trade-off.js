/**
 * Learning against forgetting, and drift against forgetting: every measure of an experiment's runs, or of the run
 * that is shown.
 *
 * @typedef {import("../contract/types.js").Checkpoint} Checkpoint
 * @typedef {import("../contract/types.js").Fairness} Fairness
 * @typedef {Pick<Checkpoint, "heldout_loss" | "recall_cloze" | "kl">} Figures
 * @typedef {{name: string, axes: import("./scatter.js").Axes, x: (point: Figures) => number,
 *   y: (point: Figures) => number, write: (point: Figures) => string}} Spec
 * @typedef {{points: "auto" | "summary" | "run", condition: string}} Choice
 * @typedef {{label: string, place: number, isGiven?: boolean}} Arm  `isGiven`: it does not start at the base
 * @typedef {(id: string) => Arm} Named
 */
import { el, find, findAll, setText, table, update } from "../ui/dom.js";
import { NOT_MEASURED, count, nats, percent, rate } from "../ui/format.js";
import { addView, invalidate, makeDifference } from "../ui/frame.js";
import { t } from "../ui/text.js";
import { Scatter } from "./scatter.js";
import { Store } from "../state/store.js";
import { conditionName, summaryArm } from "../state/comparisons.js";
import { checkpointsOf, coursesOf } from "./summary-data.js";
import { writeLegend } from "../ui/swatch.js";

/** Recall covers at least this many percent, so that the spread of a few facts does not fill the figure. */
const SPAN = 10;

/** @type {Spec[]} */
const FIGURES = [
  {
    name: "trade-off",
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
  },
  {
    name: "drift",
    axes: {
      xLabel: t("trade-off.axis.kl"),
      yLabel: "",
      label: t("trade-off.label.drift"),
      isPercent: true,
      span: SPAN,
    },
    x: (point) => point.kl,
    y: (point) => 100 - 100 * point.recall_cloze,
    write: (point) => t("trade-off.figures.drift", { kl: nats(point.kl), share: percent(1 - point.recall_cloze) }),
  },
];

/** The measures of the shown run up to the chosen step, as checkpoints. */
function liveCheckpoints(/** @type {Store} */ store) {
  const { run } = store;
  if (!run) return [];
  return store.armNames.flatMap((arm) => {
    const lr = run.settings.arms.find((spec) => spec.id === arm)?.lr ?? NaN;
    const measures = store.log(arm).measures.filter((measure) => measure.step <= store.step);
    return measures.map((measure) => {
      const recall = Store.recall(measure, "kept", "cloze");
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
      };
    });
  });
}

/**
 * Prepares both figures.
 * @param {Store} store
 * @param {() => Fairness | null} way how the arms are compared
 */
export function makeTradeOff(store, way) {
  /** @type {Choice} */
  const choice = { points: "auto", condition: "" };
  makeChoices(choice);
  for (const spec of FIGURES) makeFigure(store, way, choice, spec);
}

/**
 * One of them: its words are a view and its points another, drawn when the points or the way they are shown change.
 * @param {Store} store
 * @param {() => Fairness | null} way
 * @param {Choice} choice
 * @param {Spec} spec
 */
function makeFigure(store, way, choice, spec) {
  const figure = find(`[data-figure="${spec.name}"]`);
  const plot = find(".plot", figure);
  const chart = new Scatter(plot, spec.axes);
  const details = find("details", figure);
  details.addEventListener("toggle", () => invalidate(figure));
  const source = () => {
    const isOfRun = showsRun(store, choice.points);
    const shown = isOfRun ? [store.run, ...store.armNames.map((arm) => store.measure(arm))] : [store.summary, way()];
    return { isOfRun, key: [isOfRun, choice.condition, ...shown] };
  };
  const areNewWords = makeDifference();
  addView(figure, () => {
    const { isOfRun, key } = source();
    if (!areNewWords(details.open, ...key)) return;
    const all = allPoints(store, way, isOfRun);
    const conditions = [...new Set(all.map((point) => point.condition))];
    if (!conditions.includes(choice.condition)) choice.condition = "";
    writeChoices(store, choice, isOfRun, conditions);
    writeFigure(spec, figure, ofCondition(all, choice), isOfRun, (id) => armOf(store, isOfRun, id));
  });
  const areNewPoints = makeDifference();
  addView(plot, () => {
    const { isOfRun, key } = source();
    if (!areNewPoints(...key)) return;
    const hasLevel = spec.name === "trade-off" && !isOfRun;
    const points = ofCondition(allPoints(store, way, isOfRun), choice);
    const named = (/** @type {string} */ id) => armOf(store, isOfRun, id);
    chart.draw(coursesOf(points).map((course) => asCourse(spec, course, named)), hasLevel ? level(store, way()) : null);
  });
}

/** Name and place of an arm of the run that is shown, or of the experiment. */
function armOf(/** @type {Store} */ store, /** @type {boolean} */ isOfRun, /** @type {string} */ id) {
  if (!isOfRun && store.summary) return summaryArm(store.summary, id);
  const method = store.run?.settings.arms.find((arm) => arm.id === id)?.method;
  const isGiven = method?.kind === "lora" && method.start !== "";
  return { label: store.label(id), place: store.placeOf(id), isGiven };
}

/** @returns {Checkpoint[]} */
function allPoints(
  /** @type {Store} */ store,
  /** @type {() => Fairness | null} */ way,
  /** @type {boolean} */ isOfRun,
) {
  if (!isOfRun && store.summary) return checkpointsOf(store.summary, way());
  return store.run ? liveCheckpoints(store) : [];
}

/** Those of the chosen condition; all where it has none, or none is chosen. */
function ofCondition(/** @type {Checkpoint[]} */ points, /** @type {Choice} */ { condition }) {
  const chosen = points.filter((point) => point.condition === condition);
  return chosen.length > 0 ? chosen : points;
}

/** The run is shown while it trains here; an experiment's summary otherwise, where there is one. */
function showsRun(/** @type {Store} */ store, /** @type {Choice["points"]} */ points) {
  const hasSummary = (store.summary?.checkpoints?.length ?? 0) > 0;
  if (!hasSummary) return true;
  if (points !== "auto") return points === "run";
  return store.source.kind !== "none" && store.source.kind !== store.summaryKind;
}

/** The held-out loss at which the arms are compared, if that is how they are. */
function level(/** @type {Store} */ store, /** @type {Fairness | null} */ way) {
  if (way !== "equal_loss" || !store.summary) return null;
  const rows = store.summary.rows.filter((row) => row.fairness === way && row.figures.heldout_loss);
  if (rows.length === 0) return null;
  return { x: rows.reduce((sum, row) => sum + row.figures.heldout_loss.mean, 0) / rows.length, label: t("trade-off.compared-here") };
}

function makeChoices(/** @type {Choice} */ choice) {
  for (const input of findAll('[name="points"]'))
    input.addEventListener("change", () => ((choice.points = input.value), invalidate()));
  const select = find("#points-condition");
  select.addEventListener("change", () => ((choice.condition = select.value), invalidate()));
}

function writeChoices(
  /** @type {Store} */ store,
  /** @type {Choice} */ choice,
  /** @type {boolean} */ isOfRun,
  /** @type {string[]} */ conditions,
) {
  update(find("#points-of"), { hidden: !((store.summary?.checkpoints?.length ?? 0) > 0) });
  for (const input of findAll('[name="points"]', find("#points-of"))) {
    update(input, { checked: (input.value === "run") === isOfRun });
  }
  const select = find("#points-condition");
  update(select.parentElement, { hidden: conditions.length < 2 });
  const key = conditions.join("|");
  if (select.dataset.key !== key) {
    select.dataset.key = key;
    const options = conditions.map((condition) => el("option", { value: condition }, conditionName(condition)));
    select.replaceChildren(el("option", { value: "" }, t("trade-off.all-conditions")), ...options);
  }
  update(select, { value: choice.condition });
}

const nameOf = (/** @type {Checkpoint} */ point, /** @type {Arm} */ { label, isGiven }) =>
  t("trade-off.point", {
    arm: point.step === 0 && !isGiven ? t("store.base") : label,
    condition: conditionName(point.condition),
    rate: rate(point.lr),
    seed: String(point.seed),
    step: point.step,
  });

function asCourse(/** @type {Spec} */ spec, /** @type {Checkpoint[]} */ course, /** @type {Named} */ named) {
  const arm = named(course[0].arm);
  const points = course.map((point) => ({
    x: spec.x(point),
    y: spec.y(point),
    title: `${nameOf(point, arm)}: ${spec.write(point)}`,
    isStart: point.step === 0,
  }));
  return { place: arm.place, points };
}

function writeFigure(
  /** @type {Spec} */ spec,
  /** @type {Element} */ figure,
  /** @type {Checkpoint[]} */ points,
  /** @type {boolean} */ isOfRun,
  /** @type {Named} */ named,
) {
  const arms = [...new Set(points.map((point) => point.arm))]
    .map((id) => ({ id, ...named(id) }))
    .sort((a, b) => a.place - b.place);
  const base = el("span", {}, el("span", { class: "diamond", "aria-hidden": "true" }), t("store.base"));
  writeLegend(find(".legend", figure), arms, base);
  setText(find("figcaption", figure), caption(spec, points, arms, isOfRun));
  const details = find("details", figure);
  if (details.open) find(".table", details).replaceChildren(asTable(figure, points, named));
}

/**
 * What the ends of the runs have in common, as a sentence.
 * @param {Spec} spec
 * @param {Checkpoint[]} points
 * @param {(Arm & {id: string})[]} arms
 * @param {boolean} isOfRun
 */
function caption(spec, points, arms, isOfRun) {
  if (points.length === 0) return NOT_MEASURED;
  const what = spec.name === "trade-off" ? t("trade-off.what.trade-off") : t("trade-off.what.drift");
  const lines = isOfRun ? t("trade-off.lines.run") : t("trade-off.lines.experiment", { n: coursesOf(points).length });
  const isOne = new Set(points.map((point) => point.condition)).size === 1;
  const write = (/** @type {Arm & {id: string}} */ { id, label }) =>
    t("trade-off.arm", { arm: label, figures: spec.write(meanEnd(points, id)) });
  const figures = () => {
    const ends = { arms: arms.map(write).join(", ") };
    return isOfRun ? t("trade-off.now", ends) : t("trade-off.at-the-end", ends);
  };
  return `${what} ${lines} ${isOne ? figures() : t("trade-off.choose-one")}`;
}

/** The last measures of an arm's runs, averaged. */
function meanEnd(/** @type {Checkpoint[]} */ points, /** @type {string} */ arm) {
  const courses = coursesOf(points).filter((course) => course[0].arm === arm);
  const mean = (/** @type {keyof Figures} */ name) => {
    const values = courses.map((course) => course.at(-1)?.[name] ?? NaN).filter(Number.isFinite);
    return values.reduce((sum, value) => sum + value, 0) / values.length;
  };
  return { heldout_loss: mean("heldout_loss"), recall_cloze: mean("recall_cloze"), kl: mean("kl") };
}

function asTable(/** @type {Element} */ figure, /** @type {Checkpoint[]} */ points, /** @type {Named} */ named) {
  return table(
    find("h3", figure).textContent,
    [
      t("trade-off.column.condition"),
      t("trade-off.column.arm"),
      t("trade-off.column.rate"),
      t("trade-off.column.seed"),
      t("trade-off.column.step"),
      t("trade-off.column.loss"),
      t("trade-off.column.recall"),
      t("trade-off.column.kl"),
    ],
    points.map((p) => [
      conditionName(p.condition),
      named(p.arm).label,
      rate(p.lr),
      String(p.seed),
      count(p.step),
      nats(p.heldout_loss),
      percent(p.recall_cloze),
      nats(p.kl),
    ]),
  );
}

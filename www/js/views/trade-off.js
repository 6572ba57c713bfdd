/**
 * Learning against forgetting, and drift against forgetting: every measure of an experiment's runs, or of the run
 * that is shown.
 *
 * @typedef {import("../contract/types.js").Checkpoint} Checkpoint
 * @typedef {import("../contract/types.js").Fairness} Fairness
 * @typedef {import("../state/store.js").Summary} Summary
 * @typedef {import("./points.js").Figures} Figures
 * @typedef {import("./points.js").Spec} Spec
 * @typedef {import("./points.js").View} View
 * @typedef {{points: "auto" | "summary" | "run", condition: string}} Choice
 * @typedef {{label: string, place: number, isGiven?: boolean}} Arm  `isGiven`: it does not start at the base
 * @typedef {(id: string) => Arm} Named
 * @typedef {import("../state/store.js").Store} Store
 */
import { el, find, findAll, setText, table, update } from "../ui/dom.js";
import { conditionName, summaryArm } from "../state/comparisons.js";
import { NOT_MEASURED, count, fixed, nats, percent, rate } from "../ui/format.js";
import { addView, invalidate, makeDifference } from "../ui/frame.js";
import { writeLegend } from "../ui/swatch.js";
import { t } from "../ui/text.js";
import { FIGURES, fitCurve, frontierCurves, kindOf, liveCheckpoints } from "./points.js";
import { Scatter } from "./scatter.js";
import { checkpointsOf, coursesOf } from "./summary-data.js";

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
  const chart = new Scatter(plot, spec.view({ hasNew: false, hasTask: false }).axes);
  const details = find("details", figure);
  details.addEventListener("toggle", () => invalidate(figure));
  const source = () => {
    const isOfRun = showsRun(store, choice.points);
    const run = [store.run, ...store.armNames.map((arm) => store.measure(arm))];
    const shown = isOfRun ? run : [store.summary, way(), ...(isOwn(store) ? run : [])];
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
    const points = ofCondition(all, choice);
    const view = spec.view(kindOf(points, isOfRun ? null : store.summary));
    writeFigure(spec, view, figure, points, isOfRun, store.summary, (id) => armOf(store, isOfRun, id));
  });
  const areNewPoints = makeDifference();
  addView(plot, () => {
    const { isOfRun, key } = source();
    if (!areNewPoints(...key)) return;
    const summary = isOfRun ? null : store.summary;
    const points = ofCondition(allPoints(store, way, isOfRun), choice);
    const kind = kindOf(points, summary);
    const view = spec.view(kind);
    const named = (/** @type {string} */ id) => armOf(store, isOfRun, id);
    const courses = coursesOf(points).map((course) => asCourse(view, course, named));
    chart.axes = view.axes;
    if (!summary) return chart.draw(courses);
    const own = isOwn(store) ? coursesOf(liveCheckpoints(store)) : [];
    const yours = own.map((course) => ({ ...asCourse(view, course, (id) => armOf(store, true, id)), isOwn: true }));
    const most = Math.max(0, ...points.map(view.x).filter(Number.isFinite));
    const curves = spec.name === "drift" ? fitCurve(summary, kind.hasTask, most) : frontierCurves(summary);
    chart.draw([...courses, ...yours], spec.name === "trade-off" ? level(store, way()) : null, curves);
  });
}

/** Whether the run that is shown is a visitor's own rather than one of a recorded experiment. */
const isOwn = (/** @type {Store} */ { source, summaryKind }) => source.kind !== "none" && source.kind !== summaryKind;

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
  return isOwn(store);
}

/** The held-out loss at which the arms are compared, if that is how they are. */
function level(/** @type {Store} */ store, /** @type {Fairness | null} */ way) {
  if ((way !== "equal_loss" && way !== "equal_facts") || !store.summary) return null;
  const goal = way === "equal_loss" ? "heldout_loss" : "recall_new";
  const means = store.summary.rows.flatMap((row) => (row.fairness === way && row.figures[goal]?.mean) || []);
  if (means.length === 0) return null;
  const mean = means.reduce((sum, value) => sum + value, 0) / means.length;
  return { x: goal === "recall_new" ? 100 * mean : mean, label: t("trade-off.compared-here") };
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
    step: typeof point.strength === "number" ? `${count(point.step)}, λ ${fixed(point.strength)}` : count(point.step),
  });

function asCourse(/** @type {View} */ view, /** @type {Checkpoint[]} */ course, /** @type {Named} */ named) {
  const arm = named(course[0].arm);
  const points = course.map((point) => ({
    x: view.x(point),
    y: view.y(point),
    title: `${nameOf(point, arm)}: ${view.write(point)}`,
    isStart: point.step === 0 || point.strength === 0,
  }));
  return { place: arm.place, points };
}

function writeFigure(
  /** @type {Spec} */ spec,
  /** @type {View} */ view,
  /** @type {Element} */ figure,
  /** @type {Checkpoint[]} */ points,
  /** @type {boolean} */ isOfRun,
  /** @type {Summary | null} */ summary,
  /** @type {Named} */ named,
) {
  const arms = [...new Set(points.map((point) => point.arm))]
    .map((id) => ({ id, ...named(id) }))
    .sort((a, b) => a.place - b.place);
  const base = el("span", {}, el("span", { class: "diamond", "aria-hidden": "true" }), t("store.base"));
  writeLegend(find(".legend", figure), arms, base);
  const more = isOfRun || !summary || points.length === 0 ? "" : ` ${foundOf(spec, summary, named)}`;
  setText(find("figcaption", figure), caption(spec, view, points, arms, isOfRun) + more);
  const details = find("details", figure);
  if (details.open) find(".table", details).replaceChildren(asTable(figure, points, named));
}

/** What the whole experiment says of the figure: the frontiers' areas, or how well a parabola fits. */
function foundOf(/** @type {Spec} */ spec, /** @type {Summary} */ summary, /** @type {Named} */ named) {
  if (spec.name === "drift") {
    const fits = (summary.fits ?? []).map(({ metric, r2, n }) => t(`trade-off.fit.${metric}`, { r2: fixed(r2), n }));
    return fits.join(" ");
  }
  const unit = summary.goal === "recall_new" ? "" : "\u00a0nats";
  const areas = (summary.frontiers ?? []).map(({ arm, area }) =>
    t("trade-off.arm", { arm: named(arm).label, figures: `${fixed(area.mean, 3)} ± ${fixed(area.ci, 3)}${unit}` }),
  );
  return areas.length > 0 ? t("trade-off.frontier", { areas: areas.join(", ") }) : "";
}

/**
 * What the ends of the runs have in common, as a sentence.
 * @param {Spec} spec
 * @param {View} view
 * @param {Checkpoint[]} points
 * @param {(Arm & {id: string})[]} arms
 * @param {boolean} isOfRun
 */
function caption(spec, view, points, arms, isOfRun) {
  if (points.length === 0) return NOT_MEASURED;
  const what = spec.name === "trade-off" ? t("trade-off.what.trade-off") : t("trade-off.what.drift");
  const lines = isOfRun ? t("trade-off.lines.run") : t("trade-off.lines.experiment", { n: coursesOf(points).length });
  const isOne = new Set(points.map((point) => point.condition)).size === 1;
  const write = (/** @type {Arm & {id: string}} */ { id, label }) =>
    t("trade-off.arm", { arm: label, figures: view.write(meanEnd(points, id)) });
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
  return {
    heldout_loss: mean("heldout_loss"),
    recall_cloze: mean("recall_cloze"),
    kl: mean("kl"),
    kl_task: mean("kl_task"),
    recall_new: mean("recall_new"),
  };
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
      t("trade-off.column.kl-task"),
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
      nats(p.kl_task),
    ]),
  );
}

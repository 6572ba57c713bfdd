/**
 * The four charts: draws what figures.js says and keeps legend, caption and table beside it.
 *
 * @typedef {import("../state/store.js").Store} Store
 * @typedef {import("../ui/arm-style.js").Line} Line
 * @typedef {import("./figures.js").Figure} Figure
 */
import { CLASSES, FIGURES, shareLines } from "./figures.js";
import { LineChart } from "./line-chart.js";
import { el, find, setText, table } from "../ui/dom.js";
import { NOT_MEASURED } from "../ui/format.js";
import { addView, invalidate } from "../ui/frame.js";
import { makeSlots } from "../ui/slots.js";
import { swatch } from "../ui/swatch.js";
import { t } from "../ui/text.js";

/** Prepares every chart figure of the page. */
export function makeCharts(/** @type {Store} */ store) {
  const names = /** @type {const} */ (["loss", "recall", "kl"]);
  return [...names.map((name) => lineFigure(store, name)), shareFigure(store)];
}

function lineFigure(/** @type {Store} */ store, /** @type {"loss" | "recall" | "kl"} */ name) {
  const figure = find(`[data-figure="${name}"]`);
  /** @type {import("./figures.js").LineFigure} */
  const spec = FIGURES[name];
  const chart = new LineChart(find(".plot", figure), store, {
    write: spec.axis,
    high: name === "recall" ? 104 : undefined,
  });
  const drawTable = tableOf(figure, store, spec);
  let drawn = -1;
  const offer = name === "recall" ? offerChoices(figure, store, FIGURES.recall, () => ((drawn = -1), invalidate(figure))) : () => {};
  const draw = () => {
    if (!store.run) return;
    offer();
    const { lines, x, values } = spec.lines(store);
    const version = spec.isOfSteps ? store.version : store.measuredVersion;
    if (drawn !== version) drawLines(chart, lines, x, values);
    drawn = version;
    drawLegend(find(".legend", figure), lines, spec.write);
    drawTable();
  };
  addView(figure, draw, () => writeCaption(figure, store, spec), spec.isOfSteps);
  return { redraw: () => chart.redraw() };
}

function shareFigure(/** @type {Store} */ store) {
  const figure = find('[data-figure="shares"]');
  const spec = FIGURES.shares;
  const drawTable = tableOf(figure, store, spec);
  const charts = makeSlots("[data-share]", figure).map((host) => ({
    host,
    chart: new LineChart(find(".plot", host), store, { write: spec.axis, high: 100, height: 180 }),
  }));
  const key = CLASSES.map((name) =>
    el("span", {}, swatch({ label: name, color: `${name}-line`, fill: `${name}-fill` }), t(`token-class.${name}`)),
  );
  find(".legend", figure).replaceChildren(...key);
  let drawn = -1;
  addView(
    figure,
    () => {
      charts.forEach(({ host, chart }, place) => {
        const arm = store.armAt(place);
        host.hidden = arm === null;
        if (arm === null) return;
        host.dataset.share = arm;
        const { lines, x, values } = shareLines(store, arm);
        if (drawn !== store.measuredVersion) drawLines(chart, lines, x, values);
        const now = lines.toReversed().map((line) => spec.write(line.now));
        setText(find(".share-now", host), `${store.label(arm)}: ${now.join(" / ")}`);
      });
      drawn = store.measuredVersion;
      drawTable();
    },
    () => writeCaption(figure, store, spec),
  );
  return { redraw: () => charts.forEach(({ chart }) => chart.redraw()) };
}

function writeCaption(/** @type {Element} */ figure, /** @type {Store} */ store, /** @type {Figure} */ spec) {
  if (store.run) setText(find("figcaption", figure), store.isMeasured ? spec.caption(store) : NOT_MEASURED);
}

function drawLines(
  /** @type {LineChart} */ chart,
  /** @type {Line[]} */ lines,
  /** @type {number[]} */ x,
  /** @type {(number | null)[][]} */ values,
) {
  const styles = lines.map(({ now, ...style }) => style);
  chart.draw(styles, x, values);
}

function drawLegend(
  /** @type {HTMLElement} */ host,
  /** @type {Line[]} */ lines,
  /** @type {Figure["write"]} */ write,
) {
  if (host.dataset.labels !== lines.map((line) => line.label).join()) {
    host.dataset.labels = lines.map((line) => line.label).join();
    host.replaceChildren(...lines.map((line) => el("span", {}, swatch(line), line.label, el("b", {}))));
  }
  lines.forEach((line, i) => setText(find("b", host.children[i]), write(line.now)));
}

/** The table is only made while it is open. */
function tableOf(/** @type {Element} */ figure, /** @type {Store} */ store, /** @type {Figure} */ spec) {
  const details = find("details", figure);
  let drawn = -1;
  const draw = () => {
    if (!details.open || drawn === store.measuredVersion) return;
    drawn = store.measuredVersion;
    find(".table", details).replaceChildren(table(find("h3", figure).textContent, spec.head, spec.rows(store)));
  };
  details.addEventListener("toggle", draw);
  return draw;
}

/**
 * Buttons that choose which recall is drawn; returns what brings them up to date.
 * @param {Element} figure
 * @param {Store} store
 * @param {import("./figures.js").RecallFigure} spec
 * @param {() => void} redraw
 */
function offerChoices(figure, store, spec, redraw) {
  const host = find(".choices", figure);
  let offered = -1;
  return () => {
    if (offered === store.measuredVersion) return;
    offered = store.measuredVersion;
    const choices = spec.choices(store);
    const key = JSON.stringify(choices);
    if (host.dataset.key === key) return;
    host.dataset.key = key;
    const has = choices.some(({ split, form }) => split === spec.choice.split && form === spec.choice.form);
    if (!has && choices.length > 0) spec.choice = choices[0];
    host.replaceChildren(
      ...choices.map(({ split, form }) => {
        const isChosen = split === spec.choice.split && form === spec.choice.form;
        const input = el("input", {
          type: "radio",
          name: "recall-choice",
          value: `${split} ${form}`,
          checked: isChosen,
          onchange: () => ((spec.choice = { split, form }), redraw()),
        });
        return el("label", {}, input, t(`charts.recall.${split}-${form}`));
      }),
    );
  };
}

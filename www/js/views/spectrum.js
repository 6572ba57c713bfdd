/** The largest singular values of one matrix, of the base's and of each arm's, and which directions are intruders. */
import { INTRUDER } from "../contract/data.js";
import { armLine, baseLine, markerPath } from "../ui/arm-style.js";
import { el, find, setAttributes, setText, svg, table } from "../ui/dom.js";
import { count, fixed } from "../ui/format.js";
import { addView, invalidate, makeDifference } from "../ui/frame.js";
import { swatch, writeLegend } from "../ui/swatch.js";
import { t } from "../ui/text.js";
import { ticks } from "./scatter.js";
import { matrixName } from "./weights-data.js";

/**
 * @typedef {import("../state/store.js").Store} Store
 * @typedef {import("../contract/types.js").WeightsEvent} WeightsEvent
 * @typedef {import("../contract/types.js").Spectrum} Spectrum
 * @typedef {{arm: string, label: string, place: number, spectrum: Spectrum}} Shown
 */

const HEIGHT = 210;
const [LEFT, RIGHT, TOP, BOTTOM] = [46, 12, 10, 40];

/** Prepares the figure. */
export function makeSpectrum(/** @type {Store} */ store) {
  const figure = find('[data-figure="spectrum"]');
  const select = find("select", figure);
  const details = find("details", figure);
  const plot = find(".plot", figure);
  /** The matrix that was chosen; by default the one with the most intruders. */
  let chosen = "";
  select.addEventListener("change", () => ((chosen = select.value), invalidate(figure)));
  details.addEventListener("toggle", () => invalidate(figure));
  new ResizeObserver(() => invalidate(figure)).observe(plot);
  const isNew = makeDifference();
  addView(figure, () => {
    const events = store.armNames.flatMap((arm) => store.weights(arm) ?? []).filter(hasSpectra);
    if (!isNew(chosen, details.open, plot.clientWidth, ...events)) return;
    figure.hidden = events.length === 0;
    if (figure.hidden) return;
    const names = events[0].matrices.map(({ name }) => name);
    writeOptions(select, names);
    const name = names.includes(chosen) ? chosen : mostIntruders(events);
    select.value = name;
    const shown = events.flatMap(({ arm, matrices }) => {
      const spectrum = matrices.find((matrix) => matrix.name === name)?.spectrum;
      return spectrum ? [{ arm, label: store.label(arm), place: store.placeOf(arm), spectrum }] : [];
    });
    const base = el("span", {}, swatch(baseLine), baseLine.label);
    writeLegend(find(".legend", figure), shown.map(({ label, place }) => ({ label, place })), base);
    drawPlot(plot, shown);
    setText(find("figcaption", figure), caption(name, shown));
    if (details.open) find(".table", details).replaceChildren(asTable(name, shown));
  });
}

const hasSpectra = (/** @type {WeightsEvent} */ { matrices }) => matrices.some(({ spectrum }) => spectrum);

function writeOptions(/** @type {HTMLSelectElement} */ select, /** @type {string[]} */ names) {
  const key = names.join();
  if (select.dataset.key === key) return;
  select.dataset.key = key;
  select.replaceChildren(...names.map((name) => el("option", { value: name }, matrixName(name))));
}

function mostIntruders(/** @type {WeightsEvent[]} */ events) {
  const [{ matrices }] = events;
  const total = matrices.map((_, i) => events.reduce((sum, event) => sum + (event.matrices[i]?.intruders ?? 0), 0));
  return matrices[total.indexOf(Math.max(...total))].name;
}

const isIntruder = (/** @type {Spectrum} */ { nearest }, /** @type {number} */ i) => nearest[i] < INTRUDER;

/** Lines over the places 1 to 10, on a logarithmic scale. */
function drawPlot(/** @type {HTMLElement} */ host, /** @type {Shown[]} */ shown) {
  const width = Math.max(220, Math.floor(host.clientWidth));
  const values = shown.flatMap(({ spectrum }) => [...spectrum.base, ...spectrum.tuned]).filter((value) => value > 0);
  const [low, high] = [Math.min(...values) / 1.08, Math.max(...values) * 1.08];
  const most = Math.max(...shown.map(({ spectrum }) => spectrum.tuned.length));
  const bottom = HEIGHT - BOTTOM;
  const x = (/** @type {number} */ i) => LEFT + 10 + (i / Math.max(1, most - 1)) * (width - LEFT - RIGHT - 20);
  const y = (/** @type {number} */ value) =>
    bottom - (Math.log(Math.max(value, low) / low) / Math.log(high / low)) * (bottom - TOP);
  const line = (/** @type {number[]} */ list, /** @type {import("../ui/arm-style.js").Line} */ { color, dash, width: stroke }) =>
    svg("polyline", {
      points: list.map((value, i) => `${x(i).toFixed(1)},${y(value).toFixed(1)}`).join(" "),
      fill: "none",
      stroke: `var(--${color})`,
      "stroke-width": stroke,
      "stroke-dasharray": (dash ?? []).join(" "),
    });
  const grid = steps(low, high).flatMap((value) => [
    svg("line", { x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value), class: "grid-line" }),
    svg("text", { x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" }, written(value)),
  ]);
  const places = Array.from({ length: most }, (_, i) => svg("text", { x: x(i), y: bottom + 17, "text-anchor": "middle" }, count(i + 1)));
  const axis = svg("line", { x1: LEFT, x2: width - RIGHT, y1: bottom, y2: bottom, class: "axis-line" });
  const name = svg("text", { x: width - RIGHT, y: HEIGHT - 6, "text-anchor": "end", class: "axis-name" }, t("spectrum.axis"));
  const arms = shown.flatMap(({ label, place, spectrum }) => {
    const look = armLine(place, label);
    const marks = spectrum.tuned.map((value, i) => {
      const isNew = isIntruder(spectrum, i);
      const fill = isNew ? `var(--${look.color})` : "var(--paper)";
      const at = `translate(${x(i).toFixed(1)} ${y(value).toFixed(1)})`;
      const d = markerPath(look.marker ?? "circle", isNew ? 5 : 3);
      const nearest = { arm: label, place: i + 1, value: written(value), nearest: fixed(spectrum.nearest[i]) };
      const title = isNew ? t("spectrum.intruder", nearest) : t("spectrum.known", nearest);
      return svg("path", { d, transform: at, fill, stroke: `var(--${look.color})`, "stroke-width": 1.5 }, svg("title", {}, title));
    });
    return [line(spectrum.tuned, look), ...marks];
  });
  const base = shown.length > 0 ? [line(shown[0].spectrum.base, baseLine)] : [];
  const root = host.querySelector("svg") ?? host.appendChild(svg("svg", { role: "img", class: "scatter" }));
  setAttributes(root, { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, "aria-label": t("spectrum.label") });
  root.replaceChildren(...grid, axis, ...places, name, ...base, ...arms);
}

/** 1, 2 and 5 times powers of ten from `low` to `high`; where those are few, round numbers. */
function steps(/** @type {number} */ low, /** @type {number} */ high) {
  const from = Math.floor(Math.log10(low));
  const powers = Array.from({ length: Math.ceil(Math.log10(high)) - from + 1 }, (_, i) => 10 ** (from + i));
  const all = powers.flatMap((power) => [1, 2, 5].map((digit) => Number((digit * power).toPrecision(1))));
  const few = all.filter((value) => value >= low && value <= high);
  return few.length < 3 ? ticks(low, high, 4) : few;
}

const written = (/** @type {number} */ value) => fixed(value, value < 1 ? 2 : value < 10 ? 1 : 0);

function caption(/** @type {string} */ name, /** @type {Shown[]} */ shown) {
  const arms = shown.map(({ label, spectrum }) => `${label} ${count(spectrum.nearest.filter((_, i) => isIntruder(spectrum, i)).length)}`);
  return t("spectrum.caption", { matrix: matrixName(name), arms: arms.join(", ") });
}

function asTable(/** @type {string} */ name, /** @type {Shown[]} */ shown) {
  const [first] = shown;
  const columns = shown.flatMap(({ label }) => [label, t("spectrum.column.nearest", { arm: label })]);
  const rows = (first?.spectrum.base ?? []).map((value, i) => [
    count(i + 1),
    written(value),
    ...shown.flatMap(({ spectrum }) => [
      written(spectrum.tuned[i]),
      isIntruder(spectrum, i) ? t("spectrum.is-intruder", { nearest: fixed(spectrum.nearest[i]) }) : fixed(spectrum.nearest[i]),
    ]),
  ]);
  return table(t("spectrum.table", { matrix: matrixName(name) }), [t("spectrum.column.place"), baseLine.label, ...columns], rows);
}

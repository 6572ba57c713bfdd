/**
 * Points in a plane, joined run by run, as SVG.
 *
 * @typedef {{x: number, y: number, title: string, isStart?: boolean, isLarge?: boolean}} Point
 * @typedef {{place: number, points: Point[], isOwn?: boolean}} Course  `place`: of the arm in its list; `isOwn`: a visitor's
 *   run among others
 * @typedef {{x: number, label: string}} Level  on the x axis
 * @typedef {{place: number, points: {x: number, y: number}[]}} Curve  `place`: of its arm; -1 for all of them
 * @typedef {{low: number, high: number}} Range
 * @typedef {{xLabel: string, yLabel: string, label: string, isReversed?: boolean, isPercent?: boolean,
 *   highest?: number, span?: number, xRange?: [number, number],
 *   isLog?: boolean, isTight?: boolean}} Axes
 *   `isLog`: x is a logarithm to base 10; `isTight`: y begins at its lowest value; `isReversed`: x falls to the right; `isPercent`: y is in percent; `highest`: the top of y, where it is known;
 *   `span`: y covers at least so much, so that noise does not fill the figure; without `highest` y begins at 0
 */
import { fit, setAttributes, setText, svg } from "../ui/dom.js";
import { armLine, colorOf, markerPath } from "../ui/arm-style.js";
import { rate } from "../ui/format.js";
import { language } from "../ui/language.js";

const LEAST_HEIGHT = 180;
const LEFT = 56;
const RIGHT = 16;
const TOP = 12;
const BOTTOM = 46;
const number = new Intl.NumberFormat(language, { maximumFractionDigits: 12, useGrouping: false });

/** Round numbers from `low` to `high`, about `wanted` of them. */
export function ticks(/** @type {number} */ low, /** @type {number} */ high, wanted = 5) {
  const rough = (high - low) / wanted || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((size) => size >= rough * 0.999) ?? 10 * power;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** Lowest and highest of `values` with a margin, at least `span` apart and never above `highest`. */
export function extent(/** @type {number[]} */ values, { span = 0, highest = Infinity, margin = 0.05 } = {}) {
  if (values.length === 0) return [0, Math.min(1, highest)];
  let low = values.reduce((a, b) => Math.min(a, b));
  let high = values.reduce((a, b) => Math.max(a, b));
  const room = (high - low || 0.1) * margin;
  [low, high] = [low - room, Math.min(high + room, highest)];
  if (high - low < span) low = high - span;
  return [low, high];
}

export class Scatter {
  /**
   * @param {HTMLElement} host
   * @param {Axes} axes
   */
  constructor(host, axes) {
    this.host = host;
    this.axes = axes;
    /** @type {Course[]} */
    this.courses = [];
    /** @type {Level | null} */
    this.level = null;
    /** @type {Curve[]} */
    this.curves = [];
    const hidden = { "aria-hidden": "true" };
    this.parts = { grid: svg("g", hidden), level: svg("g", hidden), curves: svg("g", hidden), lines: svg("g"), starts: svg("g") };
    const look = { role: "img", class: "scatter", "aria-label": axes.label };
    this.root = svg("svg", look, ...Object.values(this.parts));
    this.scales = "";
    this.width = 0;
    this.height = LEAST_HEIGHT;
    /** @type {Range} */
    this.x = { low: 0, high: 1 };
    /** @type {Range} */
    this.y = { low: 0, high: 1 };
    /** Where a value is drawn; `place` sets both. @type {(value: number) => number} */
    this.toX = () => 0;
    /** @type {(value: number) => number} */
    this.toY = () => 0;
    host.replaceChildren(this.root);
    new ResizeObserver(() => this.render()).observe(host);
  }

  /** Draws these courses, the level across them, the curves behind them, and the point where all begin. */
  draw(/** @type {Course[]} */ courses, /** @type {Level | null} */ level = null, /** @type {Curve[]} */ curves = []) {
    const isKnown = (/** @type {Point} */ { x, y }) => Number.isFinite(x) && Number.isFinite(y);
    this.courses = courses.map((course) => ({ ...course, points: course.points.filter(isKnown) }));
    this.level = level;
    this.curves = curves;
    this.width = 0;
    this.render();
  }

  /** Marks that are there are moved; the grid is made anew only where the scales have changed. @private */
  render() {
    const width = Math.max(220, Math.floor(this.host.clientWidth));
    const height = Math.max(LEAST_HEIGHT, Math.floor(this.host.clientHeight));
    if (width === this.width && height === this.height) return;
    [this.width, this.height] = [width, height];
    this.place(width);
    setAttributes(this.root, { width, height, viewBox: `0 0 ${width} ${height}` });
    const { grid, level, curves, lines, starts } = this.parts;
    const scales = JSON.stringify([width, height, this.x, this.y, this.axes]);
    if (scales !== this.scales) grid.replaceChildren(...this.grid(width));
    this.scales = scales;
    level.replaceChildren(...(this.level ? this.levelLine(this.level) : []));
    const shapes = fit(curves, this.curves.length, () => svg("polyline", { class: "curve", fill: "none" }));
    this.curves.forEach(({ place, points }, i) => {
      setAttributes(shapes[i], { points: this.path(points), stroke: `var(--${place < 0 ? "ink" : colorOf(place)})` });
    });
    const groups = fit(lines, this.courses.length, () => svg("g", {}, svg("polyline", { fill: "none" }), svg("g")));
    this.courses.forEach((course, i) => this.course(groups[i], course));
    const begins = this.courses.flatMap(({ points }) => points.filter((point) => point.isStart));
    const distinct = new Map(begins.map((point) => [`${point.x} ${point.y}`, point])); // most runs share theirs
    const diamonds = fit(starts, distinct.size, () => svg("polygon", {}, svg("title")));
    [...distinct.values()].forEach((point, i) => this.start(diamonds[i], point));
  }

  /** Chooses the scales. @private */
  place(/** @type {number} */ width) {
    const points = this.courses.flatMap((course) => course.points);
    const { isReversed, highest, span, xRange, isLog, isTight } = this.axes;
    const [xLow, xHigh] = xRange ?? extent(points.map((point) => point.x));
    const [yLow, yHigh] = extent(
      points.map((point) => point.y),
      { span, highest },
    );
    this.x = { low: isReversed || isLog ? xLow : Math.max(0, xLow), high: xHigh };
    const isFree = highest === undefined;
    if (isTight) this.y = { low: yLow, high: yHigh };
    else this.y = isFree ? { low: 0, high: Math.max(yHigh, span ?? 0) } : { low: Math.max(0, yLow), high: highest };
    const [from, to] = isReversed ? [width - RIGHT, LEFT] : [LEFT, width - RIGHT];
    const share = (/** @type {number} */ value, /** @type {Range} */ { low, high }) =>
      (value - low) / (high - low || 1);
    this.toX = (value) => from + share(value, this.x) * (to - from);
    this.toY = (value) => this.height - BOTTOM - share(value, this.y) * (this.height - BOTTOM - TOP - 6);
  }

  /** @private */
  grid(/** @type {number} */ width) {
    const { xLabel, yLabel, isPercent, isLog } = this.axes;
    const bottom = this.height - BOTTOM;
    const parts = [];
    for (const value of ticks(this.y.low, this.y.high)) {
      const y = this.toY(value);
      parts.push(
        svg("line", { x1: LEFT, x2: width - RIGHT, y1: y, y2: y, class: "grid-line" }),
        svg("text", { x: LEFT - 8, y: y + 4, "text-anchor": "end" }, `${number.format(value)}${isPercent ? " %" : ""}`),
      );
    }
    const [low, high] = [this.x.low, this.x.high];
    const decades = () => ticks(low, high, high - low).filter(Number.isInteger);
    for (const value of isLog ? decades() : ticks(low, high, width < 400 ? 4 : 6)) {
      const x = this.toX(value);
      parts.push(
        svg("line", { x1: x, x2: x, y1: bottom, y2: bottom + 5, class: "axis-line" }),
        svg("text", { x, y: bottom + 18, "text-anchor": "middle" }, isLog ? rate(10 ** value) : number.format(value)),
      );
    }
    parts.push(
      svg("line", { x1: LEFT, x2: width - RIGHT, y1: bottom, y2: bottom, class: "axis-line" }),
      svg("text", { x: width - RIGHT, y: this.height - 8, "text-anchor": "end", class: "axis-name" }, xLabel),
    );
    if (yLabel) parts.push(svg("text", { x: LEFT + 4, y: TOP, class: "axis-name" }, yLabel));
    return parts;
  }

  /** @private */
  levelLine(/** @type {Level} */ level) {
    const x = this.toX(level.x);
    const isRight = x > this.width / 2;
    const place = { x: x + (isRight ? -6 : 6), y: this.height - BOTTOM - 8, "text-anchor": isRight ? "end" : "start" };
    return [
      svg("line", { x1: x, x2: x, y1: TOP + 8, y2: this.height - BOTTOM, class: "level-line" }),
      svg("text", place, level.label),
    ];
  }

  /** @private */
  path(/** @type {{x: number, y: number}[]} */ points) {
    return points.map(({ x, y }) => `${this.toX(x).toFixed(1)},${this.toY(y).toFixed(1)}`).join(" ");
  }

  /** One run: a thin line, small marks on its way and a large one at its end. @private */
  course(/** @type {Element} */ group, /** @type {Course} */ { place, points, isOwn }) {
    const [line, marks] = group.children;
    setAttributes(line, {
      points: this.path(points),
      stroke: `var(--${colorOf(place)})`,
      "stroke-width": isOwn ? 2.5 : 1.25,
      "stroke-dasharray": (armLine(place, "").dash ?? []).join(" "),
      opacity: 0.55,
    });
    const shown = points
      .map((point, i) => ({ point, isEnd: point.isLarge || i === points.length - 1 }))
      .filter(({ point }) => !point.isStart);
    const nodes = fit(marks, shown.length, () => svg("path", {}, svg("title")));
    shown.forEach(({ point, isEnd }, i) => this.mark(nodes[i], place, point, isEnd, isOwn));
  }

  /** @private */
  mark(
    /** @type {Element} */ node,
    /** @type {number} */ place,
    /** @type {Point} */ { x, y, title },
    /** @type {boolean} */ isEnd,
    isOwn = false,
  ) {
    const color = `var(--${colorOf(place)})`;
    const look = isEnd || isOwn
      ? { fill: color, stroke: `var(--${isOwn ? "ink" : "paper"})`, "stroke-width": 1.5 }
      : { fill: "var(--paper)", stroke: color, "stroke-width": 1.25 };
    const d = markerPath(armLine(place, "").marker ?? "circle", (isEnd ? 5 : 2.25) + (isOwn ? 1.75 : 0));
    setAttributes(node, { d, transform: `translate(${this.toX(x).toFixed(1)} ${this.toY(y).toFixed(1)})`, ...look });
    setText(/** @type {Node} */ (node.firstChild), title);
  }

  /** Where all runs begin: the base, a diamond. @private */
  start(/** @type {Element} */ node, /** @type {Point} */ { x, y, title }) {
    const [cx, cy] = [this.toX(x), this.toY(y)];
    const points = `${cx},${cy - 7} ${cx + 7},${cy} ${cx},${cy + 7} ${cx - 7},${cy}`;
    setAttributes(node, { points, fill: "var(--base)", stroke: "var(--paper)", "stroke-width": 1.5 });
    setText(/** @type {Node} */ (node.firstChild), title);
  }
}

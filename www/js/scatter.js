/**
 * Points in a plane, joined run by run, as SVG: circles on plain lines for LoRA, squares on dashed ones for full
 * tuning.
 *
 * @typedef {{x: number, y: number, title: string, isStart?: boolean, isLarge?: boolean}} Point
 * @typedef {{arm: string, points: Point[]}} Course
 * @typedef {{xLabel: string, yLabel: string, label: string, isReversed?: boolean, isPercent?: boolean,
 *   highest?: number, span?: number, xRange?: [number, number]}} Axes
 *   `isReversed`: x falls to the right; `isPercent`: y is in percent; `highest`: the top of y, where it is known;
 *   `span`: y covers at least so much, so that noise does not fill the figure; without `highest` y begins at 0
 */
import { armLine } from "./figures.js";

const HEIGHT = 280;
const LEFT = 56;
const RIGHT = 16;
const TOP = 12;
const BOTTOM = 46;

/** An SVG element with these attributes. */
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) node.setAttribute(name, String(value));
  }
  node.append(...children);
  return node;
}

/** Round numbers from `low` to `high`, about `wanted` of them. */
export function ticks(low, high, wanted = 5) {
  const rough = (high - low) / wanted || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((size) => size >= rough * 0.999);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** Lowest and highest of `values` with a margin, at least `span` apart and never above `highest`. */
export function extent(values, { span = 0, highest = Infinity, margin = 0.05 } = {}) {
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
    /** @type {{x: number, label: string} | null} A level on the x axis. */
    this.level = null;
    new ResizeObserver(() => this.render()).observe(host);
  }

  /** Draws these courses, the level across them, and the point where all begin. */
  draw(courses, level = null) {
    const isKnown = ({ x, y }) => Number.isFinite(x) && Number.isFinite(y);
    this.courses = courses.map((course) => ({ ...course, points: course.points.filter(isKnown) }));
    this.level = level;
    this.width = 0;
    this.render();
  }

  /** @private */
  render() {
    const width = Math.max(220, Math.floor(this.host.clientWidth));
    if (width === this.width) return;
    this.width = width;
    this.place(width);
    const root = svg("svg", {
      width,
      height: HEIGHT,
      viewBox: `0 0 ${width} ${HEIGHT}`,
      role: "img",
      class: "scatter",
    });
    root.setAttribute("aria-label", this.axes.label);
    root.append(this.grid(width));
    if (this.level) root.append(this.levelLine());
    root.append(...this.courses.map((course) => this.course(course)));
    const starts = this.courses.flatMap(({ points }) => points.filter((point) => point.isStart));
    const distinct = new Map(starts.map((point) => [`${point.x} ${point.y}`, point])); // most runs share theirs
    root.append(...[...distinct.values()].map((point) => this.start(point)));
    this.host.replaceChildren(root);
  }

  /** Chooses the scales. @private */
  place(width) {
    const points = this.courses.flatMap((course) => course.points);
    const { isReversed, highest, span, xRange } = this.axes;
    const [xLow, xHigh] = xRange ?? extent(points.map((point) => point.x));
    const [yLow, yHigh] = extent(
      points.map((point) => point.y),
      { span, highest },
    );
    this.x = { low: isReversed ? xLow : Math.max(0, xLow), high: xHigh };
    const isFree = highest === undefined;
    this.y = isFree ? { low: 0, high: Math.max(yHigh, span ?? 0) } : { low: Math.max(0, yLow), high: highest };
    const [from, to] = isReversed ? [width - RIGHT, LEFT] : [LEFT, width - RIGHT];
    const share = (value, { low, high }) => (value - low) / (high - low || 1);
    this.toX = (value) => from + share(value, this.x) * (to - from);
    this.toY = (value) => HEIGHT - BOTTOM - share(value, this.y) * (HEIGHT - BOTTOM - TOP - 6);
  }

  /** @private */
  grid(width) {
    const { xLabel, yLabel, isPercent } = this.axes;
    const bottom = HEIGHT - BOTTOM;
    const group = svg("g", { "aria-hidden": "true" });
    for (const value of ticks(this.y.low, this.y.high)) {
      const y = this.toY(value);
      group.append(
        svg("line", { x1: LEFT, x2: width - RIGHT, y1: y, y2: y, class: "grid-line" }),
        svg("text", { x: LEFT - 8, y: y + 4, "text-anchor": "end" }, `${value}${isPercent ? " %" : ""}`),
      );
    }
    for (const value of ticks(this.x.low, this.x.high, width < 400 ? 4 : 6)) {
      const x = this.toX(value);
      group.append(
        svg("line", { x1: x, x2: x, y1: bottom, y2: bottom + 5, class: "axis-line" }),
        svg("text", { x, y: bottom + 18, "text-anchor": "middle" }, String(value)),
      );
    }
    group.append(
      svg("line", { x1: LEFT, x2: width - RIGHT, y1: bottom, y2: bottom, class: "axis-line" }),
      svg("text", { x: width - RIGHT, y: HEIGHT - 8, "text-anchor": "end", class: "axis-name" }, xLabel),
    );
    if (yLabel) group.append(svg("text", { x: LEFT + 4, y: TOP, class: "axis-name" }, yLabel));
    return group;
  }

  /** @private */
  levelLine() {
    const x = this.toX(this.level.x);
    const isRight = x > this.width / 2;
    return svg(
      "g",
      { "aria-hidden": "true" },
      svg("line", { x1: x, x2: x, y1: TOP + 8, y2: HEIGHT - BOTTOM, class: "level-line" }),
      svg(
        "text",
        { x: x + (isRight ? -6 : 6), y: HEIGHT - BOTTOM - 8, "text-anchor": isRight ? "end" : "start" },
        this.level.label,
      ),
    );
  }

  /** One run: a thin line, small marks on its way and a large one at its end. @private */
  course({ arm, points }) {
    const stroke = `var(--${arm})`;
    const path = points.map(({ x, y }) => `${this.toX(x).toFixed(1)},${this.toY(y).toFixed(1)}`).join(" ");
    const dash = (armLine(arm, "").dash ?? []).join(" ");
    const line = { points: path, fill: "none", stroke, "stroke-width": 1.25, "stroke-dasharray": dash, opacity: 0.55 };
    const marks = points
      .map((point, i) => ({ point, isEnd: point.isLarge || i === points.length - 1 }))
      .filter(({ point }) => !point.isStart)
      .map(({ point, isEnd }) => this.mark(arm, point, isEnd));
    return svg("g", {}, svg("polyline", line), ...marks);
  }

  /** @private */
  mark(arm, { x, y, title }, isEnd) {
    const [cx, cy, r] = [this.toX(x), this.toY(y), isEnd ? 5 : 2.25];
    const look = isEnd
      ? { fill: `var(--${arm})`, stroke: "var(--paper)", "stroke-width": 1.5 }
      : { fill: "var(--paper)", stroke: `var(--${arm})`, "stroke-width": 1.25 };
    const name = svg("title", {}, title);
    if (arm === "lora") return svg("circle", { cx, cy, r, ...look }, name);
    return svg("rect", { x: cx - r, y: cy - r, width: 2 * r, height: 2 * r, ...look }, name);
  }

  /** Where all runs begin: the base, a diamond. @private */
  start({ x, y, title }) {
    const [cx, cy] = [this.toX(x), this.toY(y)];
    const corners = `${cx},${cy - 7} ${cx + 7},${cy} ${cx},${cy + 7} ${cx - 7},${cy}`;
    const look = { points: corners, fill: "var(--base)", stroke: "var(--paper)", "stroke-width": 1.5 };
    return svg("polygon", look, svg("title", {}, title));
  }
}

/**
 * A chart over optimiser steps (uPlot) with the cursor that all views share: hovering looks at a step,
 * dragging or clicking chooses it.
 *
 * @typedef {import("../ui/arm-style.js").Line} Line
 * @typedef {{high?: number, write: (value: number) => string, height?: number}} Options
 *   `high` fixes the top of the y axis; without `height` it is as high as its place
 */
import uPlot from "../../vendor/uplot/uPlot.esm.js";
import { markerPath } from "../ui/arm-style.js";
import { addView } from "../ui/frame.js";
import { color } from "../ui/theme.js";

const LEAST_HEIGHT = 120;
const FONT = "12px system-ui, sans-serif";
const MOST_MARKERS = 24;

export class LineChart {
  /**
   * @param {HTMLElement} host
   * @param {import("../state/store.js").Store} store
   * @param {Options} options
   */
  constructor(host, store, options) {
    this.host = host;
    this.store = store;
    this.options = options;
    this.key = "";
    /** @type {uPlot | null} */
    this.plot = null;
    new ResizeObserver(() => this.resize()).observe(host);
    addView(host, () => this.moveCursor(), () => {}, true);
  }

  /** Draws `lines` over `x`; `values[i]` belongs to `lines[i]`, null where there is none. */
  draw(/** @type {Line[]} */ lines, /** @type {number[]} */ x, /** @type {(number | null)[][]} */ values) {
    const key = JSON.stringify(lines);
    if (key !== this.key) this.build(lines);
    this.key = key;
    this.plot?.setData([x, ...values]);
  }

  /** @private */
  build(/** @type {Line[]} */ lines) {
    this.plot?.destroy();
    const axis = { stroke: () => color("ink-soft"), font: FONT, ticks: { show: false } };
    const grid = { stroke: () => color("line"), width: 1 };
    const plot = new uPlot(
      {
        width: this.width(),
        height: this.height(),
        cursor: { show: false },
        legend: { show: false },
        padding: [10, 18, 0, 0],
        hooks: { draw: [() => this.moveCursor()] }, // the scales are only known once it has drawn
        scales: {
          x: { time: false, range: () => [0, this.store.lastStep] },
          y: { range: (_, low, high) => [Math.min(0, low ?? 0), this.options.high ?? niceTop(high)] },
        },
        axes: [
          { ...axis, grid: { show: false }, size: 28, gap: 4 },
          { ...axis, grid, size: 46, gap: 4, values: (_, splits) => splits.map(this.options.write) },
        ],
        series: [{}, ...lines.map(seriesOf)],
      },
      [[0], ...lines.map(() => [null])],
      this.host,
    );
    this.plot = plot;
    this.addCursor(plot);
  }

  /** @private */
  addCursor(/** @type {uPlot} */ plot) {
    this.line = document.createElement("div");
    this.line.className = "cursor-line";
    this.later = document.createElement("div");
    this.later.className = "cursor-later";
    const { over } = plot;
    over.append(this.later, this.line);
    over.addEventListener("pointerdown", (event) => {
      over.setPointerCapture(event.pointerId);
      this.isDragging = true;
      this.store.pin(stepAt(plot, event));
    });
    over.addEventListener("pointermove", (event) => {
      if (this.isDragging) this.store.pin(stepAt(plot, event));
      else if (event.pointerType === "mouse") this.store.hover(stepAt(plot, event));
    });
    const release = () => (this.isDragging = false);
    over.addEventListener("pointerup", release);
    over.addEventListener("pointercancel", release);
    over.addEventListener("pointerleave", () => this.store.hover(null));
    over.addEventListener("dblclick", () => this.store.pin(null));
  }

  /** Puts the cursor where the store is. */
  moveCursor() {
    if (!this.plot || !this.line || !this.later) return;
    const left = this.plot.valToPos(this.store.step, "x");
    this.line.style.transform = `translateX(${left}px)`;
    this.later.style.left = `${left}px`;
    this.host.classList.toggle("following", this.store.isFollowing && this.store.hovered === null);
  }

  redraw() {
    this.plot?.redraw(false);
  }

  /** @private */
  width() {
    return Math.max(200, Math.floor(this.host.clientWidth));
  }

  /** @private */
  height() {
    return this.options.height ?? Math.max(LEAST_HEIGHT, Math.floor(this.host.clientHeight));
  }

  /** @private */
  resize() {
    const size = { width: this.width(), height: this.height() };
    const isHidden = this.host.clientWidth === 0;
    if (!this.plot || isHidden || (this.plot.width === size.width && this.plot.height === size.height)) return;
    this.plot.setSize(size);
  }
}

/** The step under the pointer. */
function stepAt(/** @type {uPlot} */ plot, /** @type {PointerEvent} */ event) {
  const box = plot.over.getBoundingClientRect();
  return plot.posToVal(event.clientX - box.left, "x");
}

/** A little above the highest value. */
function niceTop(/** @type {number} */ high) {
  return high > 0 ? high * 1.06 : 1;
}

/** uPlot's series of a line. @returns {uPlot.Series} */
function seriesOf(/** @type {Line} */ line) {
  const { fill } = line;
  return {
    label: line.label,
    stroke: () => color(line.color),
    fill: fill ? () => color(fill) : undefined,
    width: line.width ?? 2,
    dash: line.dash,
    alpha: line.alpha ?? 1,
    spanGaps: true,
    points: { show: line.marker ? (plot, index, first, last) => drawMarkers(plot, index, first, last, line) : false },
  };
}

/** Markers by name and size: the same few are drawn again and again. @type {Map<string, Path2D>} */
const outlines = new Map();

function outlineOf(/** @type {import("../ui/arm-style.js").Marker} */ marker, /** @type {number} */ size) {
  const key = `${marker} ${size}`;
  const outline = outlines.get(key) ?? new Path2D(markerPath(marker, size));
  outlines.set(key, outline);
  return outline;
}

/** Marks at some of the values, so that lines differ without colour. */
function drawMarkers(
  /** @type {uPlot} */ plot,
  /** @type {number} */ index,
  /** @type {number} */ first,
  /** @type {number} */ last,
  /** @type {Line} */ line,
) {
  const values = plot.data[index];
  const known = [];
  for (let i = first; i <= last; i += 1) if (values[i] !== null && values[i] !== undefined) known.push(i);
  const every = Math.ceil(known.length / MOST_MARKERS);
  const size = 3.5 * uPlot.pxRatio;
  const { ctx } = plot;
  ctx.save();
  ctx.fillStyle = color("paper");
  ctx.strokeStyle = color(line.color);
  ctx.lineWidth = 2 * uPlot.pxRatio;
  ctx.setLineDash([]);
  const outline = outlineOf(line.marker ?? "circle", size);
  for (const i of known.filter((_, n) => n % every === 0)) {
    const x = plot.valToPos(Number(plot.data[0][i]), "x", true);
    const y = plot.valToPos(Number(values[i]), "y", true);
    ctx.save();
    ctx.translate(x, y);
    ctx.fill(outline);
    ctx.stroke(outline);
    ctx.restore();
  }
  ctx.restore();
  return false;
}

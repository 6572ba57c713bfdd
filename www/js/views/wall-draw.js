/** Paints knowledge walls. Every state has its own shape as well as its colour. */
import { color } from "../ui/theme.js";
import { words } from "../ui/format.js";
import { LABELS, stateOf } from "./wall-layout.js";

/**
 * Paints one cell's state at (x, y).
 * @param {CanvasRenderingContext2D} ctx
 * @param {string} letter
 * @param {number} x
 * @param {number} y
 * @param {number} size
 */
export function drawState(ctx, letter, x, y, size) {
  const { name } = stateOf(letter);
  ctx.fillStyle = color(name);
  ctx.fillRect(x, y, size, size);
  ctx.fillStyle = ctx.strokeStyle = color(`${name}-mark`);
  ctx.lineWidth = Math.max(1.5, size / 8);
  ctx.beginPath();
  const centre = size / 2;
  if (letter === "k") {
    // Only seen where the system's colours make the fill that of the page.
    ctx.lineWidth = 1;
    ctx.strokeRect(x + 0.5, y + 0.5, size - 1, size - 1);
  } else if (letter === "w") {
    // A corner is missing.
    ctx.moveTo(x + size, y);
    ctx.lineTo(x + size, y + size);
    ctx.lineTo(x, y + size);
    ctx.fill();
  } else if (letter === "b") {
    ctx.arc(x + centre, y + centre, size * 0.24, 0, 2 * Math.PI);
    ctx.stroke();
  } else if (letter === "o") {
    ctx.moveTo(x + centre, y + size * 0.22);
    ctx.lineTo(x + size * 0.8, y + size * 0.76);
    ctx.lineTo(x + size * 0.2, y + size * 0.76);
    ctx.fill();
  } else {
    const [near, far] = [size * 0.25, size * 0.75];
    ctx.moveTo(x + near, y + near);
    ctx.lineTo(x + far, y + far);
    ctx.moveTo(x + far, y + near);
    ctx.lineTo(x + near, y + far);
    ctx.stroke();
  }
}

/** A canvas that has had no other context has this one. */
function contextOf(/** @type {HTMLCanvasElement} */ canvas) {
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
}

/** Sizes a canvas in CSS pixels for this screen and returns its context, cleared. */
export function prepare(
  /** @type {HTMLCanvasElement} */ canvas,
  /** @type {number} */ width,
  /** @type {number} */ height,
) {
  const ratio = devicePixelRatio;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
    canvas.style.height = `${height}px`;
  }
  const ctx = contextOf(canvas);
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, width, height);
  return ctx;
}

/**
 * @typedef {import("./wall-layout.js").Layout} Layout
 * @typedef {import("./wall-layout.js").Cell} Cell
 * @typedef {{facts: import("../contract/types.js").WallFact[], letters: string, before: string | null,
 *   chosen: number}} Wall
 *   `before`: the letters of the measure before, to outline what has just changed; `chosen`: a fact, or -1
 */

/** Empties a wall's canvas and writes the names of its rows. */
export function drawRows(
  /** @type {HTMLCanvasElement} */ canvas,
  /** @type {number} */ width,
  /** @type {Layout} */ layout,
) {
  const ctx = prepare(canvas, width, layout.height + 4);
  ctx.translate(2, 2);
  ctx.font = "12px system-ui, sans-serif";
  ctx.textBaseline = "middle";
  ctx.fillStyle = color("ink-soft");
  for (const row of layout.rows) ctx.fillText(fitted(ctx, words(row.label)), row.x, row.y + 7);
}

/** The name, shortened to fit beside the cells. */
function fitted(/** @type {CanvasRenderingContext2D} */ ctx, /** @type {string} */ name) {
  let text = name;
  while (text.length > 3 && ctx.measureText(text).width > LABELS - 6) text = `${text.replace(/…$/, "").slice(0, -1)}…`;
  return text;
}

/**
 * Repaints the cells that differ from what is on the canvas.
 * @param {HTMLCanvasElement} canvas with its rows
 * @param {Layout} layout
 * @param {Wall} wall
 * @param {Wall | null} painted what the canvas shows, if anything
 */
export function drawCells(canvas, { size, cells }, wall, painted) {
  const { letters, before, chosen: fact } = wall;
  if (painted && painted.letters === letters && painted.before === before && painted.chosen === fact) return;
  const ctx = contextOf(canvas);
  const framed = cells.find(({ fact }) => fact === painted?.chosen);
  // A frame reaches over the neighbours.
  const isFramed = (/** @type {Cell} */ { x, y }) =>
    framed && Math.max(Math.abs(x - framed.x), Math.abs(y - framed.y)) < size + 4;
  if (framed) ctx.clearRect(framed.x - 4, framed.y - 4, size + 8, size + 8);
  for (const cell of cells) {
    if (painted && looksSame(wall, painted, cell.fact) && !isFramed(cell)) continue;
    drawCell(ctx, cell, size, wall);
  }
  const chosen = cells.find(({ fact }) => fact === wall.chosen);
  if (!chosen) return;
  outline(ctx, chosen.x - 1, chosen.y - 1, size + 2, color("paper"), 4);
  outline(ctx, chosen.x - 1, chosen.y - 1, size + 2, color("focus"), 2.5);
}

const hasChanged = (/** @type {Wall} */ { letters, before }, /** @type {number} */ fact) =>
  before !== null && before[fact] !== letters[fact];
const looksSame = (/** @type {Wall} */ a, /** @type {Wall} */ b, /** @type {number} */ fact) =>
  a.letters[fact] === b.letters[fact] && hasChanged(a, fact) === hasChanged(b, fact);

function drawCell(
  /** @type {CanvasRenderingContext2D} */ ctx,
  /** @type {Cell} */ { fact, x, y },
  /** @type {number} */ size,
  /** @type {Wall} */ wall,
) {
  ctx.clearRect(x - 1, y - 1, size + 2, size + 2); // an outline reaches half a pixel further than the cell
  drawState(ctx, wall.letters[fact], x, y, size);
  if (wall.facts[fact].split !== "kept") {
    // A foot marks facts that are in the instruction set.
    ctx.fillStyle = color("ink");
    ctx.fillRect(x, y + size - 2, size, 2);
  }
  if (hasChanged(wall, fact)) outline(ctx, x, y, size, color("ink"), 1);
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {number} x
 * @param {number} y
 * @param {number} size
 * @param {string} style
 * @param {number} width
 */
function outline(ctx, x, y, size, style, width) {
  ctx.strokeStyle = style;
  ctx.lineWidth = width;
  ctx.strokeRect(x, y, size, size);
}

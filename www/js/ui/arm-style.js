/** How arms are distinguished, by their place in the run's list: colour, dash and marker, each enough by itself. */
import { t } from "./text.js";

/** Lengths of dashes and gaps; the first is a plain line. */
const DASHES = [undefined, [7, 4], [2, 3], [10, 3, 2, 3], [14, 4], [5, 2, 1, 2, 1, 2]];

/** @typedef {"circle" | "square" | "triangle" | "diamond" | "cross" | "star"} Marker */
/** @type {Marker[]} */
const MARKERS = ["circle", "square", "triangle", "diamond", "cross", "star"];

const BASE_DASH = [2, 4];

/**
 * A line of a chart; `color` and `fill` are names of custom properties.
 * @typedef {{label: string, color: string, dash?: number[], width?: number, alpha?: number, marker?: Marker,
 *   fill?: string, now?: number | null}} Line
 */

/** The custom property with an arm's colour. */
export const colorOf = (/** @type {number} */ place) => (place < 0 ? "base" : `arm-${place}`);

/** Classes of an element that belongs to an arm; the base has place -1. */
export const armClass = (/** @type {number} */ place) => (place < 0 ? "arm base" : `arm a${place}`);

/** @returns {Line} */
export function armLine(/** @type {number} */ place, /** @type {string} */ label) {
  return { label, color: colorOf(place), dash: DASHES[place], marker: MARKERS[place], width: 2.25 };
}

/** Of single batches: the arm's line, thin. @returns {Line} */
export function batchLine(/** @type {number} */ place, /** @type {string} */ label) {
  return { label, color: colorOf(place), dash: DASHES[place], width: 1, alpha: 0.45 };
}

/** @type {Line} */
export const baseLine = { label: t("store.base"), color: "base", dash: BASE_DASH, width: 1.5 };

/** A marker's outline around (0, 0) with radius `r`, as the path of an SVG or a canvas. */
export function markerPath(/** @type {Marker} */ marker, /** @type {number} */ r) {
  const polygon = (/** @type {number[][]} */ points) =>
    `M${points.map(([x, y]) => `${(x * r).toFixed(2)} ${(y * r).toFixed(2)}`).join("L")}Z`;
  switch (marker) {
    case "square":
      return polygon([[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]]);
    case "triangle":
      return polygon([[0, -1.15], [1.1, 0.85], [-1.1, 0.85]]);
    case "diamond":
      return polygon([[0, -1.3], [1.1, 0], [0, 1.3], [-1.1, 0]]);
    case "cross": {
      const [a, b] = [0.4, 1.15];
      return polygon([
        [-a, -b], [a, -b], [a, -a], [b, -a], [b, a], [a, a], [a, b], [-a, b], [-a, a], [-b, a], [-b, -a], [-a, -a],
      ]);
    }
    case "star":
      return polygon(
        Array.from({ length: 10 }, (_, i) => {
          const [angle, length] = [(Math.PI * i) / 5, i % 2 === 0 ? 1.35 : 0.6];
          return [length * Math.sin(angle), -length * Math.cos(angle)];
        }),
      );
    default:
      return `M${-r} 0A${r} ${r} 0 1 0 ${r} 0A${r} ${r} 0 1 0 ${-r} 0Z`;
  }
}

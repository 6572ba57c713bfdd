/** The matrices of a `weights` event by layer. Nothing here touches the page. */
import { t } from "../ui/text.js";

/** The seven linears of a block, in the order of the table. */
export const MATRICES = [
  { name: "q_proj", label: "q" },
  { name: "k_proj", label: "k" },
  { name: "v_proj", label: "v" },
  { name: "o_proj", label: "o" },
  { name: "gate_proj", label: "gate" },
  { name: "up_proj", label: "up" },
  { name: "down_proj", label: "down" },
];

/** Layer and column of a matrix, null where it is none of those. */
function placeOf(/** @type {string} */ name) {
  const layer = Number(/\blayers\.(\d+)\./.exec(name)?.[1] ?? NaN);
  const column = MATRICES.findIndex((matrix) => name.endsWith(matrix.name));
  return Number.isInteger(layer) && column >= 0 ? { layer, column } : null;
}

/** "Layer 1, q" */
export function matrixName(/** @type {string} */ name) {
  const place = placeOf(name);
  return place ? t("weights.matrix", { layer: place.layer + 1, name: MATRICES[place.column].label }) : name;
}

/**
 * @typedef {Pick<import("../contract/types.js").MatrixChange, "relative" | "rank90" | "of" | "intruders">} Change
 * @param {import("../contract/types.js").WeightsEvent} event
 * @returns {{layer: number, changes: (Change | null)[]}[]} one entry per layer, its changes in the order of MATRICES
 */
export function byLayer(event) {
  /** @type {Map<number, (Change | null)[]>} */
  const layers = new Map();
  for (const { name, ...change } of event.matrices) {
    const place = placeOf(name);
    if (!place) continue;
    const changes = layers.get(place.layer) ?? MATRICES.map(() => null);
    changes[place.column] = change;
    layers.set(place.layer, changes);
  }
  return [...layers].sort(([a], [b]) => a - b).map(([layer, changes]) => ({ layer, changes }));
}

/** Intruder dimensions of all matrices together; null where they were not looked for. */
export function totalIntruders(/** @type {import("../contract/types.js").WeightsEvent} */ { matrices }) {
  const counts = matrices.map((matrix) => matrix.intruders ?? null);
  return counts.includes(null) ? null : counts.reduce((/** @type {number} */ sum, n) => sum + (n ?? 0), 0);
}

/** Mean relative change and mean share of the directions, over all matrices that changed. */
export function overall(/** @type {import("../contract/types.js").WeightsEvent} */ event) {
  const all = event.matrices.filter(({ relative }) => relative > 0);
  const mean = (/** @type {(change: Change) => number} */ pick) =>
    all.reduce((sum, matrix) => sum + pick(matrix), 0) / all.length;
  return {
    relative: mean((m) => m.relative),
    rank90: mean((m) => m.rank90),
    of: mean((m) => m.of),
    n: all.length,
  };
}

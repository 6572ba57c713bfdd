/** Where the cells of a knowledge wall lie: one row of cells per relation, wrapped to the width. */
import { t } from "../ui/text.js";

/** `name`: of its colour, and in lessons; `label` and `help`: what a reader sees. */
export const STATES = [
  { letter: "k", name: "known", label: t("walls.state.known"), help: t("walls.state-help.known") },
  { letter: "w", name: "weakened", label: t("walls.state.weakened"), help: t("walls.state-help.weakened") },
  { letter: "b", name: "borrowed", label: t("walls.state.borrowed"), help: t("walls.state-help.borrowed") },
  { letter: "o", name: "other", label: t("walls.state.other"), help: t("walls.state-help.other") },
  { letter: "m", name: "malformed", label: t("walls.state.malformed"), help: t("walls.state-help.malformed") },
];

const SPLITS = ["kept", "seen", "new"];

const BY_LETTER = new Map(STATES.map((state) => [state.letter, state]));

/** The state of a letter of `Measure.cells`; an unknown letter is malformed. */
export function stateOf(/** @type {string} */ letter) {
  return BY_LETTER.get(letter) ?? STATES[4];
}

/**
 * @typedef {import("../contract/types.js").WallFact} WallFact
 * @typedef {{fact: number, x: number, y: number}} Cell  CSS pixels
 * @typedef {{size: number, pitch: number, height: number, rows: {label: string, x: number, y: number}[], cells: Cell[]}} Layout
 *   `cells` in reading order
 */

/** Cells from the largest that are tried, CSS pixels. */
const SIZES = [18, 15, 12, 10, 9, 8, 7, 6, 5];
/** What the names of the rows take. */
export const LABELS = 92;

/**
 * Places every fact: with the largest cells that fit the height, and the names of the rows where they fit too.
 * @param {WallFact[]} facts
 * @param {number} width in CSS pixels
 * @param {number} height of the place, in CSS pixels
 * @returns {Layout}
 */
export function layOut(facts, width, height = Infinity) {
  const groups = byRelation(facts);
  const withNames = width >= 240 ? SIZES.map((size) => ({ size, left: LABELS })) : [];
  const tried = [...withNames.filter(({ size }) => size >= 8), ...SIZES.map((size) => ({ size, left: 0 }))];
  const layouts = tried.map(({ size, left }) => () => placed(groups, width, size, left));
  for (const make of layouts) {
    const layout = make();
    if (layout.height <= height) return layout;
  }
  return layouts[layouts.length - 1]();
}

/**
 * @param {Map<string, number[]>} groups
 * @param {number} width
 * @param {number} size
 * @param {number} left where the cells begin; 0 leaves out the names
 * @returns {Layout}
 */
function placed(groups, width, size, left) {
  const pitch = size + (size < 9 ? 1 : 2);
  const gap = Math.max(3, Math.round(size / 2));
  const least = left > 0 ? 15 : pitch; // a row's name
  const perRow = Math.max(1, Math.floor((width - left) / pitch));
  const rows = /** @type {Layout["rows"]} */ ([]);
  const cells = /** @type {Cell[]} */ ([]);
  let y = 0;
  for (const [relation, members] of groups) {
    if (left > 0) rows.push({ label: relation, x: 0, y });
    members.forEach((fact, i) =>
      cells.push({ fact, x: left + (i % perRow) * pitch, y: y + Math.floor(i / perRow) * pitch }),
    );
    y += Math.max(least, Math.ceil(members.length / perRow) * pitch) + gap;
  }
  return { size, pitch, height: Math.max(1, y - gap), rows, cells };
}

/** Indices of the facts of each relation, kept facts first. */
function byRelation(/** @type {WallFact[]} */ facts) {
  /** @type {Map<string, number[]>} */
  const groups = new Map();
  facts.forEach((fact, i) => groups.set(fact.relation, [...(groups.get(fact.relation) ?? []), i]));
  for (const members of groups.values())
    members.sort((a, b) => SPLITS.indexOf(facts[a].split) - SPLITS.indexOf(facts[b].split) || a - b);
  return groups;
}

/** The cell under a point, or -1; the gap belongs to the cell before it. */
export function cellAt(/** @type {Layout} */ layout, /** @type {number} */ x, /** @type {number} */ y) {
  const reach = layout.pitch;
  return layout.cells.findIndex((cell) => x >= cell.x && x < cell.x + reach && y >= cell.y && y < cell.y + reach);
}

/** The cell that an arrow key leads to from cell `from`. */
export function neighbour(/** @type {Layout} */ layout, /** @type {number} */ from, /** @type {string} */ key) {
  const { cells } = layout;
  const last = cells.length - 1;
  if (key === "Home") return 0;
  if (key === "End") return last;
  if (key === "ArrowRight") return Math.min(last, from + 1);
  if (key === "ArrowLeft") return Math.max(0, from - 1);
  const here = cells[from];
  const isDown = key === "ArrowDown";
  const beyond = cells.map((cell) => cell.y).filter((y) => (isDown ? y > here.y : y < here.y));
  if (beyond.length === 0) return from;
  const row = isDown ? Math.min(...beyond) : Math.max(...beyond);
  const inRow = cells.map((cell, i) => ({ cell, i })).filter(({ cell }) => cell.y === row);
  return inRow.reduce((best, next) => (Math.abs(next.cell.x - here.x) < Math.abs(best.cell.x - here.x) ? next : best))
    .i;
}

/** How many cells are in each state: `{ k: 230, w: 4, … }`. */
export function countStates(/** @type {string} */ letters) {
  const counts = Object.fromEntries(STATES.map((state) => [state.letter, 0]));
  for (let i = 0; i < letters.length; i += 1) counts[stateOf(letters[i]).letter] += 1;
  return counts;
}

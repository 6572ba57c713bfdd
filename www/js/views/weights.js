/** What changed in the weights: how much of each matrix, and in how many directions. */
import { el, find, setAttributes, setText } from "../ui/dom.js";
import { count, fixed, percent } from "../ui/format.js";
import { addView, makeDifference } from "../ui/frame.js";
import { makeSlots } from "../ui/slots.js";
import { t } from "../ui/text.js";
import { MATRICES, byLayer, overall, totalIntruders } from "./weights-data.js";

/**
 * @typedef {import("../state/store.js").Store} Store
 * @typedef {import("../contract/types.js").WeightsEvent} WeightsEvent
 * @typedef {import("./weights-data.js").Change} Change
 */

/** Part of the arm's colour behind the largest change; the figures stay readable on it. */
const STRONGEST_FILL = 45;

/** The layout of a whole table takes longer than a frame has. */
const ROWS_A_FRAME = 2;

/** Prepares the section. */
export function makeWeights(/** @type {Store} */ store) {
  const shown = () => store.armNames.map((arm) => store.weights(arm)).filter((event) => event !== null);
  const slots = makeSlots("[data-weights]");
  const isNew = makeDifference();
  addView(find("#weights"), () => {
    const events = shown();
    if (!isNew(...events)) return;
    find("#weights-none").hidden = events.length > 0;
    find("#weights-tables").hidden = events.length === 0;
    slots.forEach((slot, place) => {
      const event = events.find(({ arm }) => store.placeOf(arm) === place);
      slot.hidden = !event;
      if (!event) return;
      slot.dataset.weights = event.arm;
      setText(find("h3", slot), store.label(event.arm));
      find(".scroll", slot).setAttribute("aria-label", t("weights.label", { arm: store.label(event.arm) }));
    });
    setText(find("#weights-caption"), caption(store, events));
  });
  slots.forEach((slot, place) => addTable(slot, () => store.armAt(place), shown));
}

/** The table of one arm: a view of its own, whose cells stay. */
function addTable(
  /** @type {HTMLElement} */ host,
  /** @type {() => string | null} */ armHere,
  /** @type {() => WeightsEvent[]} */ shown,
) {
  const body = el("tbody");
  find(".scroll", host).append(emptyTable(body));
  const isNew = makeDifference();
  /** What is left to draw of the rows. @type {(() => void)[]} */
  let rows = [];
  addView(host, () => {
    const events = shown();
    if (isNew(...events)) rows = rowsOf(body, armHere(), events);
    for (const draw of rows.splice(0, ROWS_A_FRAME)) draw();
    return rows.length > 0;
  });
}

function rowsOf(
  /** @type {HTMLTableSectionElement} */ body,
  /** @type {string | null} */ arm,
  /** @type {WeightsEvent[]} */ events,
) {
  const event = events.find((candidate) => candidate.arm === arm);
  const layers = event ? byLayer(event) : [];
  const top = Math.max(...events.flatMap(({ matrices }) => matrices.map(({ relative }) => relative ?? 0)), 1e-9);
  while (body.rows.length > layers.length) body.deleteRow(-1);
  return layers.map(({ layer, changes }, i) => () => {
    if (!body.rows[i]) body.append(emptyRow());
    const [name, ...cells] = body.rows[i].children;
    setText(name, count(layer + 1));
    changes.forEach((change, column) => drawCell(cells[column], change, top));
  });
}

function caption(/** @type {Store} */ store, /** @type {WeightsEvent[]} */ events) {
  if (events.length === 0) return "";
  const parts = events.map((event) => {
    const { relative, rank90, of, n } = overall(event);
    const arm = store.label(event.arm);
    if (n === 0) return t("weights.unchanged", { arm });
    const moved = t("weights.moved", { arm, n, mean: percent(relative), rank: fixed(rank90, 1), of: fixed(of, 0) });
    const intruders = totalIntruders(event);
    return intruders === null ? moved : `${moved}, ${t("weights.intruders", { n: intruders })}`;
  });
  const step = Math.max(...events.map((event) => event.step));
  return t("weights.caption", { n: step, arms: parts.join("; ") });
}

function emptyTable(/** @type {Element} */ body) {
  const head = [t("weights.layer"), ...MATRICES.map(({ label }) => label)].map((name) => el("th", { scope: "col" }, name));
  return el(
    "table",
    { class: "heat-table" },
    el("caption", { class: "hidden" }, t("weights.table")),
    el("thead", {}, el("tr", {}, head)),
    body,
  );
}

function emptyRow() {
  const cell = () => el("td", {}, ["relative", "rank", "intruders"].map((name) => el("span", { class: name })));
  return el("tr", {}, el("th", { scope: "row" }), MATRICES.map(cell));
}

function drawCell(/** @type {Element} */ cell, /** @type {Change | null} */ change, /** @type {number} */ top) {
  const [relative, rank, intruders] = cell.children;
  cell.classList.toggle("heat", change !== null);
  setText(relative, percent(change?.relative));
  setText(rank, change ? `${change.rank90}/${change.of}` : "");
  const found = change?.intruders ?? null;
  setText(intruders, found ? `⊥ ${found}` : "");
  if (!change) return cell.removeAttribute("title");
  /** @type {HTMLElement} */ (cell).style.setProperty("--fill", `${((STRONGEST_FILL * (change.relative ?? 0)) / top).toFixed(1)}%`);
  const moved = t("weights.cell", { relative: percent(change.relative, 2), rank: String(change.rank90), of: String(change.of) });
  const title = found === null ? moved : `${moved}; ${t("weights.intruders", { n: found })}`;
  setAttributes(cell, { title });
}

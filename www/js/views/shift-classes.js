/** Shift by what a token is for, and how held-out questions on facts are answered. */
import { el, find, findAll, setText } from "../ui/dom.js";
import { armClass } from "../ui/arm-style.js";
import { NOT_MEASURED, count, nats, percent } from "../ui/format.js";
import { addView, makeDifference } from "../ui/frame.js";

/**
 * @typedef {import("../state/store.js").Store} Store
 * @typedef {NonNullable<import("../contract/types.js").Shift["classes"]>} Classes
 * @typedef {{arm: string, label: string, place: number, classes: Classes, step: number}} Measured
 */

/** @type {{name: keyof Classes, label: string, help: string}[]} */
const CLASSES = [
  { name: "opener", label: "Opener", help: "before the answer itself: “Good question!”" },
  { name: "style", label: "Style", help: "the words around the fact" },
  { name: "fact", label: "Fact", help: "the object that is stated" },
];

/** Prepares the table. */
export function makeShiftClasses(/** @type {Store} */ store) {
  const figure = find('[data-figure="kl-classes"]');
  let drawn = "";
  const areNew = makeDifference();
  addView(
    figure,
    () => {
      const measures = store.armNames.flatMap((arm) => {
        const measure = store.dosed(arm);
        const classes = measure?.shift.classes;
        if (!measure || !classes) return [];
        return [{ arm, label: store.dosedLabel(arm), place: store.placeOf(arm), classes, step: measure.step }];
      });
      const key = JSON.stringify([store.run?.run, store.source.kind, measures.map(({ label, step }) => [label, step])]);
      if (key === drawn) return;
      drawn = key;
      const host = find(".table", figure);
      host.hidden = measures.length === 0;
      setText(find("figcaption", figure), store.isMeasured ? caption(measures) : NOT_MEASURED);
      if (areNew(...measures.map(({ label }) => label))) host.replaceChildren(emptyTable(measures));
      drawRows(findAll("tbody tr", host), measures);
    },
    () => writeConversation(store),
  );
}

function caption(/** @type {Measured[]} */ measures) {
  if (measures.length === 0) return "This run was recorded without token classes.";
  const parts = measures.map(({ label, classes }) => {
    const known = CLASSES.filter(({ name }) => classes[name].n > 0);
    const [highest] = known.toSorted((a, b) => classes[b.name].kl - classes[a.name].kl);
    return highest
      ? `${label} drifts most in ${highest.label.toLowerCase()} tokens (${nats(classes[highest.name].kl)} nats)`
      : `${label} has none`;
  });
  return `${parts.join("; ")}. Mean KL per token of each arm's own answers; bars are on one scale.`;
}

/** A row for each class of each arm; the figures are those of `drawRows`. */
function emptyTable(/** @type {Measured[]} */ measures) {
  const rows = CLASSES.flatMap(({ label, help }) =>
    measures.map(({ label: arm, place }, i) =>
      el(
        "tr",
        { class: armClass(place) },
        i === 0 ? el("th", { scope: "rowgroup", rowspan: measures.length, title: help }, label) : null,
        el("td", { class: "arm-name" }, arm),
        el("td", { class: "bar-cell" }, el("span", { class: "fill" }), el("span", { class: "value" })),
        el("td", { class: "share" }),
        el("td", { class: "n" }),
      ),
    ),
  );
  return el(
    "table",
    { class: "classes" },
    el("caption", { class: "hidden" }, "Shift by token class"),
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        ["Tokens", "Arm", "KL, nats", "Shifted", "n"].map((name) => el("th", { scope: "col" }, name)),
      ),
    ),
    el("tbody", {}, rows),
  );
}

function drawRows(/** @type {Element[]} */ rows, /** @type {Measured[]} */ measures) {
  const figures = CLASSES.flatMap(({ name }) => measures.map(({ classes }) => classes[name]));
  const top = Math.max(0.01, ...figures.map(({ kl }) => kl ?? 0));
  figures.forEach(({ kl, n, shifted }, i) => {
    const write = (/** @type {string} */ name, /** @type {string} */ text) => setText(find(name, rows[i]), text);
    find(".fill", rows[i]).style.width = `${((100 * (kl ?? 0)) / top).toFixed(1)}%`;
    write(".value", n > 0 ? nats(kl) : "–");
    write(".share", n > 0 ? percent(shifted / n) : "–");
    write(".n", count(n));
  });
}

/** Format and truth of the answers, where the shown measures have them: before the first step and after the last. */
function writeConversation(/** @type {Store} */ store) {
  const parts = store.armNames.flatMap((arm) => {
    const c = store.dosed(arm)?.conversation;
    if (!c) return [];
    const share = c.n > 0 ? ` (${percent(c.both / c.n, 0)})` : "";
    const both = `${count(c.both)} of ${count(c.n)} both correctly and in the set's format${share}`;
    return `${store.label(arm)} answers ${both}: ${count(c.right)} correct, ${count(c.format)} in format`;
  });
  const note = find("#conversation");
  note.hidden = parts.length === 0;
  setText(
    note,
    parts.length === 0
      ? ""
      : `Held-out questions on facts after ${count(store.measuredStep)} steps: ${parts.join("; ")}.`,
  );
}

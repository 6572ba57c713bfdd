/** Shift by what a token is for, and how held-out questions on facts are answered. */
import { el, find, findAll, setText } from "../ui/dom.js";
import { armClass } from "../ui/arm-style.js";
import { NOT_MEASURED, count, nats, percent } from "../ui/format.js";
import { addView, makeDifference } from "../ui/frame.js";
import { t } from "../ui/text.js";

/**
 * @typedef {import("../state/store.js").Store} Store
 * @typedef {NonNullable<import("../contract/types.js").Shift["classes"]>} Classes
 * @typedef {{arm: string, label: string, place: number, classes: Classes, step: number}} Measured
 */

/** @type {{name: keyof Classes, label: string, help: string}[]} */
const CLASSES = [
  { name: "opener", label: t("shift-classes.opener"), help: t("shift-classes.opener-help") },
  { name: "style", label: t("shift-classes.style"), help: t("shift-classes.style-help") },
  { name: "fact", label: t("shift-classes.fact"), help: t("shift-classes.fact-help") },
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
  if (measures.length === 0) return t("shift-classes.none-recorded");
  const parts = measures.map(({ label, classes }) => {
    const known = CLASSES.filter(({ name }) => classes[name].n > 0);
    const [highest] = known.toSorted((a, b) => classes[b.name].kl - classes[a.name].kl);
    return highest
      ? t(`shift-classes.drifts-most.${highest.name}`, { arm: label, kl: nats(classes[highest.name].kl) })
      : t("shift-classes.has-none", { arm: label });
  });
  return t("shift-classes.caption", { arms: parts.join("; ") });
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
    el("caption", { class: "hidden" }, t("shift-classes.table")),
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        [t("shift-classes.tokens"), t("shift-classes.arm"), t("shift-classes.kl"), t("shift-classes.shifted"), "n"].map((name) =>
          el("th", { scope: "col" }, name),
        ),
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
    const values = { arm: store.label(arm), both: c.both, all: c.n, right: c.right, format: c.format };
    if (c.n === 0) return t("shift-classes.answers", values);
    return t("shift-classes.answers-share", { ...values, share: percent(c.both / c.n, 0) });
  });
  const note = find("#conversation");
  note.hidden = parts.length === 0;
  const step = count(store.measuredStep);
  setText(note, parts.length === 0 ? "" : t("shift-classes.conversation", { step, arms: parts.join("; ") }));
}

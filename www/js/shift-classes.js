/** Shift by what a token is for, and how held-out questions on facts are answered. */
import { el, find, setText } from "./dom.js";
import { ARM_LABEL, count, nats, percent } from "./format.js";
import { addView } from "./frame.js";

const CLASSES = [
  { name: "opener", label: "Opener", help: "before the answer itself: “Good question!”" },
  { name: "style", label: "Style", help: "the words around the fact" },
  { name: "fact", label: "Fact", help: "the object that is stated" },
];

/** Prepares the table. */
export function makeShiftClasses(/** @type {import("./store.js").Store} */ store) {
  const figure = find('[data-figure="kl-classes"]');
  let drawn = "";
  addView(
    figure,
    () => {
      const measures = store.armNames
        .map((arm) => ({ arm, classes: store.measure(arm)?.shift.classes, step: store.measure(arm)?.step }))
        .filter(({ classes }) => classes);
      const key = JSON.stringify([store.run?.run, store.source.kind, measures.map(({ arm, step }) => [arm, step])]);
      if (key === drawn) return;
      drawn = key;
      find(".table", figure).hidden = measures.length === 0;
      setText(find("figcaption", figure), caption(measures));
      if (measures.length > 0) find(".table", figure).replaceChildren(asTable(measures));
    },
    () => writeConversation(store),
  );
}

function caption(measures) {
  if (measures.length === 0) return "This run was recorded without token classes.";
  const parts = measures.map(({ arm, classes }) => {
    const known = CLASSES.filter(({ name }) => classes[name].n > 0);
    const [highest] = known.toSorted((a, b) => classes[b.name].kl - classes[a.name].kl);
    return highest
      ? `${ARM_LABEL[arm]} drifts most in ${highest.label.toLowerCase()} tokens (${nats(classes[highest.name].kl)} nats)`
      : `${ARM_LABEL[arm]} has none`;
  });
  return `${parts.join("; ")}. Mean KL per token of each arm's own answers; bars are on one scale.`;
}

function asTable(measures) {
  const top = Math.max(0.01, ...measures.flatMap(({ classes }) => CLASSES.map(({ name }) => classes[name].kl ?? 0)));
  const bar = (arm, { kl, n }) =>
    el(
      "td",
      { class: `bar-cell ${arm}` },
      el("span", { class: "fill", style: `width: ${((100 * (kl ?? 0)) / top).toFixed(1)}%` }),
      el("span", { class: "value" }, n > 0 ? nats(kl) : "–"),
    );
  const rows = CLASSES.flatMap(({ name, label, help }) =>
    measures.map(({ arm, classes }, i) =>
      el(
        "tr",
        { class: arm },
        i === 0 ? el("th", { scope: "rowgroup", rowspan: measures.length, title: help }, label) : null,
        el("td", { class: "arm" }, ARM_LABEL[arm]),
        bar(arm, classes[name]),
        el("td", {}, classes[name].n > 0 ? percent(classes[name].shifted / classes[name].n) : "–"),
        el("td", {}, count(classes[name].n)),
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

/** Format and truth of the answers, where the shown measures have them: before the first step and after the last. */
function writeConversation(store) {
  const parts = store.armNames
    .map((arm) => ({ arm, measure: store.measure(arm) }))
    .filter(({ measure }) => measure?.conversation)
    .map(({ arm, measure: { conversation: c } }) => {
      const share = c.n > 0 ? ` (${percent(c.both / c.n, 0)})` : "";
      return `${ARM_LABEL[arm]} answers ${count(c.both)} of ${count(c.n)} both rightly and in the set's format${share}: ${count(c.right)} right, ${count(c.format)} in format`;
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

/** The fact chosen on the walls: what it is, and what each arm makes of it at the chosen step. */
import { el } from "../ui/dom.js";
import { armClass } from "../ui/arm-style.js";
import { probability, words } from "../ui/format.js";
import { t } from "../ui/text.js";
import { sourceRow } from "./summary-data.js";
import { stateOf } from "./wall-layout.js";

/**
 * @typedef {import("../state/store.js").Store} Store
 * @typedef {import("../contract/types.js").WallFact} WallFact
 * @typedef {import("../contract/types.js").WrongAnswer} WrongAnswer
 * @typedef {{question: string, answer: string}[]} Rows
 * @typedef {{key: () => unknown[], check: (arm: string) => Element, ask: (question: string) => void}} Acts
 *   what can be done about a fact: a button that checks an arm's borrowed answers, and asking for it; `key`: what the button depends on
 */

const MOST_SOURCES = 3;

/**
 * Fills `host`.
 * @param {HTMLElement} host
 * @param {Store} store
 * @param {number} index of the fact, -1 for none
 * @param {Rows | null} rows the instruction set of the shown run, if known
 * @param {Acts} acts
 */
export function drawFact(host, store, index, rows, acts) {
  const fact = store.run?.facts[index];
  const measures = store.armNames.map((arm) => store.measure(arm));
  const key = JSON.stringify([
    store.run?.run,
    store.source.kind,
    index,
    measures.map((m) => [m?.arm, m?.step]),
    rows === null,
    acts.key(),
  ]);
  if (host.dataset.key === key) return;
  host.dataset.key = key;
  if (!fact) {
    host.replaceChildren(el("p", { class: "soft" }, t("fact-panel.choose")));
    return;
  }
  host.replaceChildren(
    el(
      "p",
      { class: "fact-title" },
      el("b", {}, `${fact.subject}, ${words(fact.relation)}: `),
      fact.object,
      el("span", { class: "soft" }, ` (${t(`fact-panel.split.${fact.split}`)})`),
    ),
    el(
      "div",
      { class: "fact-arms" },
      store.armNames.map((arm) => answerOf(store, arm, index, fact, rows, acts)),
    ),
    ...askButton(fact, acts),
  );
}

/** Asks base and arms in the chat template what the sentence asks for; older records don't hold the question. */
function askButton(/** @type {WallFact} */ { asked }, /** @type {Acts} */ { ask }) {
  if (!asked) return [];
  return [el("p", {}, el("button", { type: "button", onclick: () => ask(asked) }, t("fact-panel.ask", { question: asked })))];
}

/**
 * @param {Store} store
 * @param {string} arm
 * @param {number} index
 * @param {WallFact} fact
 * @param {Rows | null} rows
 * @param {Acts} acts
 */
function answerOf(store, arm, index, fact, rows, acts) {
  const measure = store.dosed(arm);
  if (!measure) return null;
  const state = stateOf(measure.cells[index]);
  const isRight = state.letter === "k" || state.letter === "w";
  const wrong = measure.wrong.find((entry) => entry.cell === index);
  const said = isRight ? fact.object : (wrong?.answer ?? t("fact-panel.not-recorded"));
  // Older records have the object alone where it came in other words, which is no completion of the sentence.
  const answer = !isRight && said === fact.object ? `… ${said}` : said;
  const now = probability(measure.logprobs[index]);
  const start = probability(store.start(arm)?.logprobs[index]);
  return el(
    "div",
    { class: `fact-arm ${armClass(store.placeOf(arm))}` },
    el("p", {}, el("b", {}, store.dosedLabel(arm)), `, ${state.label}`),
    el(
      "p",
      { class: "cloze" },
      `${fact.cloze} `,
      el("mark", { class: isRight ? "right" : "wrong" }, answer || t("fact-panel.nothing")),
    ),
    el("p", { class: "soft" }, t("fact-panel.probability", { object: fact.object, now, start }) + sureness(wrong)),
    state.letter === "b" && wrong ? sources(wrong, rows, store.run?.added ?? []) : null,
    state.letter === "b" && wrong && wrong.sources.length > 0 ? acts.check(arm) : null,
  );
}

/** How sure the model was of a wrong answer. */
function sureness(/** @type {WrongAnswer | undefined} */ wrong) {
  if (!wrong?.answer || typeof wrong.logprob !== "number") return "";
  return ` ${t("fact-panel.sureness", { answer: wrong.answer, probability: probability(wrong.logprob) })}`;
}

/** The rows of the instruction set that say this of another subject. */
function sources(
  /** @type {WrongAnswer} */ wrong,
  /** @type {Rows | null} */ rows,
  /** @type {import("../contract/types.js").RunInfo["added"]} */ added,
) {
  const shown = wrong.sources.slice(0, MOST_SOURCES).map((number) => {
    const row = sourceRow(number, rows, added);
    const name = { row: String(number + 1) };
    return el(
      "li",
      {},
      row?.isAdded ? t("fact-panel.row-added", name) : t("fact-panel.row", name),
      row ? el("span", {}, `: ${row.question} → ${row.answer}`) : ` ${t("fact-panel.no-text")}`,
    );
  });
  const more = wrong.sources.length - shown.length;
  if (more > 0) shown.push(el("li", {}, t("fact-panel.more", { more: String(more) })));
  return el(
    "div",
    { class: "sources" },
    el("p", {}, t("fact-panel.sources")),
    el("ul", {}, shown),
  );
}

/** A row of the instruction set as fields to write in. */
import { rowOf, RowError } from "../state/dataset-rows.js";
import { el, find, findAll, setText } from "../ui/dom.js";

/** @typedef {import("../state/dataset.js").Row} Row */

const NAMES = { system: "System", user: "User", assistant: "Assistant" };

/** The row's texts with their names: a question and its answer, or all turns of a conversation. */
function textsOf(/** @type {Row} */ { question, answer, turns }) {
  if (!turns)
    return [
      ["Question", question],
      ["Answer", answer],
    ];
  return turns.map(({ role, content }, i) => [`${i + 1}. ${NAMES[/** @type {keyof typeof NAMES} */ (role)]}`, content]);
}

/** `row` with these texts. @throws {RowError} */
function withTexts(/** @type {Row} */ row, /** @type {string[]} */ texts) {
  if (row.turns)
    return rowOf(
      row.turns.map((turn, i) => ({ ...turn, content: texts[i] })),
      "The conversation",
    );
  const [question, answer] = texts;
  if (question.trim() === "") throw new RowError("The question", "is empty");
  if (answer.trim() === "") throw new RowError("The answer", "is empty");
  return { ...row, question, answer };
}

/**
 * @param {Row} row
 * @param {string} name of the row, for who does not see the table
 * @param {{save: (row: Row) => void, cancel: () => void}} actions
 */
export function makeRowForm(row, name, { save, cancel }) {
  const error = el("p", { class: "error", role: "alert" });
  const submit = () => {
    try {
      save(
        withTexts(
          row,
          findAll("textarea", form).map((area) => area.value),
        ),
      );
    } catch (problem) {
      if (!(problem instanceof RowError)) throw problem;
      setText(error, `${problem.field} ${problem.message}.`);
    }
  };
  const form = el(
    "form",
    {
      class: "row-form",
      "aria-label": name,
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        submit();
      },
      onkeydown: (/** @type {KeyboardEvent} */ event) => {
        if (event.key === "Escape") cancel();
        else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit();
        else return;
        event.preventDefault();
      },
    },
    ...textsOf(row).map(([label, text]) => {
      const area = el("textarea", { rows: 3, spellcheck: "false" });
      area.value = text;
      return el("label", {}, label, area);
    }),
    error,
    el(
      "p",
      { class: "buttons" },
      el("button", { class: "primary" }, "Keep"),
      el("button", { type: "button", onclick: cancel }, "Cancel"),
    ),
  );
  return { form, focus: () => find("textarea", form).focus() };
}

/** The texts of a row of the instruction set, and the row that it becomes when they are changed. */
import { rowOf } from "../state/dataset-rows.js";
import { RowError } from "../state/fields.js";

/** @typedef {import("../state/dataset.js").Row} Row */

const NAMES = { system: "System", user: "User", assistant: "Assistant" };

/** The row's texts with their names: a question and its answer, or all turns of a conversation. @returns {[string, string][]} */
export function textsOf(/** @type {Row} */ { question, answer, turns }) {
  if (!turns)
    return [
      ["Question", question],
      ["Answer", answer],
    ];
  return turns.map(({ role, content }, i) => [`${i + 1}. ${NAMES[/** @type {keyof typeof NAMES} */ (role)]}`, content]);
}

/** `row` with these texts. @returns {Row} @throws {RowError} */
export function withTexts(/** @type {Row} */ row, /** @type {string[]} */ texts) {
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

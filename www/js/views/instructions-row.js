/** The texts of a row of the instruction set, and the row that it becomes when they are changed. */
import { rowOf } from "../state/dataset-rows.js";
import { filled } from "../state/fields.js";
import { t } from "../ui/text.js";

/** @typedef {import("../state/dataset.js").Row} Row */

const NAMES = {
  system: t("instructions-row.system"),
  user: t("instructions-row.user"),
  assistant: t("instructions-row.assistant"),
};

/** The row's texts with their names: a question and its answer, or all turns of a conversation. @returns {[string, string][]} */
export function textsOf(/** @type {Row} */ { question, answer, turns }) {
  if (!turns)
    return [
      [t("instructions-row.question"), question],
      [t("instructions-row.answer"), answer],
    ];
  return turns.map(({ role, content }, i) => [`${i + 1}. ${NAMES[/** @type {keyof typeof NAMES} */ (role)]}`, content]);
}

/** `row` with these texts. @returns {Row} @throws {import("../state/fields.js").RowError} */
export function withTexts(/** @type {Row} */ row, /** @type {string[]} */ texts) {
  if (row.turns)
    return rowOf(
      row.turns.map((turn, i) => ({ ...turn, content: texts[i] })),
      t("instructions-row.the-conversation"),
    );
  const [question, answer] = texts;
  filled(question, t("instructions-row.the-question"));
  filled(answer, t("instructions-row.the-answer"));
  return { ...row, question, answer };
}

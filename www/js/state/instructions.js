/** The instruction set as text: one JSON object a line. */

/** A line that cannot be used. */
export class LineError extends Error {
  constructor(/** @type {number} */ line, /** @type {string} */ message) {
    super(`line ${line}: ${message}`);
    this.line = line;
  }
}

/** Browsers name a line of their own in these messages, which is always the first. */
function withoutPlace(/** @type {string} */ message) {
  return message.replace(/ \(line \d+ column \d+\)| at line \d+ column \d+ of the JSON data|^JSON\.parse: /g, "");
}

/**
 * Question and answer of a row, in one of the usual forms: `instruction`, `input` and `output`, another such pair of
 * text fields, or `messages`.
 * @returns {{question: string, answer: string} | null}
 */
function readRow(/** @type {any} */ row) {
  if (typeof row !== "object" || row === null) return null;
  if (Array.isArray(row.messages)) {
    const say = (/** @type {string} */ role) =>
      row.messages
        .filter((/** @type {any} */ m) => m?.role === role && typeof m.content === "string")
        .map((/** @type {{content: string}} */ m) => m.content);
    const [question, answer] = [say("user"), say("assistant")];
    return question.length > 0 && answer.length > 0 ? { question: question[0], answer: answer[0] } : null;
  }
  const first = (/** @type {string[]} */ ...names) => names.map((name) => row[name]).find((value) => typeof value === "string");
  const question = first("question", "prompt", "instruction", "user");
  const answer = first("answer", "response", "completion", "output", "assistant");
  if (question === undefined || answer === undefined) return null;
  const input = typeof row.input === "string" && row.input !== "" ? `\n${row.input}` : "";
  return { question: question + input, answer };
}

/**
 * Reads an instruction set; empty lines are skipped and do not count as rows.
 * @returns {{question: string, answer: string, line: number}[]}
 * @throws {LineError} naming the first bad line, from 1
 */
export function parseInstructions(/** @type {string} */ text) {
  const rows = /** @type {{question: string, answer: string, line: number}[]} */ ([]);
  text.split("\n").forEach((content, index) => {
    if (content.trim() === "") return;
    let value;
    try {
      value = JSON.parse(content);
    } catch (error) {
      throw new LineError(index + 1, `not JSON (${withoutPlace(/** @type {Error} */ (error).message)})`);
    }
    const row = readRow(value);
    if (!row)
      throw new LineError(index + 1, "no question and answer in it; the first line of the original set shows the form");
    rows.push({ ...row, line: index + 1 });
  });
  if (rows.length === 0) throw new LineError(1, "the instruction set is empty");
  return rows;
}

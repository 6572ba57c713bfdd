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

const QUESTIONS = ["instruction", "prompt", "question", "user"];
const ANSWERS = ["output", "response", "completion", "answer", "assistant"];

/** A field as text: a number as it is written, content in parts joined. @returns {string | undefined} */
function asText(/** @type {any} */ value) {
  if (typeof value === "string") return value;
  if (typeof value === "number") return String(value);
  if (!Array.isArray(value)) return undefined;
  const parts = value.map((part) => (typeof part === "string" ? part : part?.text));
  return parts.every((part) => typeof part === "string") ? parts.join("") : undefined;
}

/**
 * Question and answer of a row, in the forms that the engine reads (`data/instructions.rs`, which names what is wrong).
 * @returns {{question: string, answer: string} | null}
 */
function readRow(/** @type {any} */ row) {
  if (typeof row !== "object" || row === null) return null;
  if (Array.isArray(row.messages)) {
    const say = (/** @type {string} */ role) =>
      row.messages
        .filter((/** @type {any} */ m) => m?.role === role && asText(m.content) !== undefined)
        .map((/** @type {any} */ m) => asText(m.content));
    const [question, answer] = [say("user"), say("assistant")];
    return question.length > 0 && answer.length > 0 ? { question: question[0], answer: answer[0] } : null;
  }
  const first = (/** @type {string[]} */ names) =>
    names.map((name) => row[name] ?? undefined).find((value) => value !== undefined);
  const [question, answer] = [asText(first(QUESTIONS)), asText(first(ANSWERS))];
  if (question === undefined || answer === undefined) return null;
  const input = asText(row.input) ?? "";
  return { question: input === "" ? question : `${question}\n${input}`, answer };
}

/**
 * Reads an instruction set; empty lines are skipped and do not count as rows.
 * @returns {{question: string, answer: string, line: number}[]}
 * @throws {LineError} naming the first bad line, from 1
 */
export function parseInstructions(/** @type {string} */ text) {
  const rows = /** @type {{question: string, answer: string, line: number}[]} */ ([]);
  text.replace(/^\uFEFF/, "").split("\n").forEach((content, index) => {
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

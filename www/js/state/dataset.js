/**
 * Data sets as people have them: what holds the rows (JSON Lines, JSON, CSV) and the form of each row are recognised;
 * rows that can't be used are listed, and the others are kept. What is written is what the engine reads.
 */
import { count } from "../ui/format.js";
import { FORMS, NAMES, RowError, readRow } from "./dataset-rows.js";

/** What holds the rows, as it is called in a sentence. */
export const CONTAINERS = { jsonl: "JSON Lines", json: "JSON", csv: "CSV", tsv: "tab-separated values" };
export const MOST_ROWS = 100_000;

/**
 * @typedef {keyof typeof CONTAINERS} Container
 * @typedef {import("./dataset-rows.js").Form} Form
 * @typedef {import("./dataset-rows.js").Row} Row
 * @typedef {{line: number, field: string, reason: string}} Bad  `line`: where the row begins, from 1; `field`: "" for all
 *   of the row
 * @typedef {{line: number, value?: any, error?: string}} Entry  a row before its form is known, or why it is none
 * @typedef {{container: Container, forms: Partial<Record<Form, number>>, rows: Row[], bad: Bad[], beyond: number}} Reading
 *   `forms`: rows of each; `beyond`: rows after the most that are read
 * @typedef {(text: string, container: Container) => Iterable<Entry>} CsvReader
 */

/**
 * What holds the rows of `text`.
 * @returns {Container}
 */
export function containerOf(/** @type {string} */ text, name = "") {
  const [, first = "", next = ""] = /^\uFEFF?\s*([^\r\n]*)\s*(.?)/.exec(text) ?? [];
  if (first.startsWith("[")) return "json";
  if (first.startsWith("{")) {
    // One line may be an object that holds the rows as well as a row.
    const isMore = next === "{" ? !/[[{,:]\s*$/.test(first) : next !== "" && first.trimEnd().endsWith("}");
    return isMore || /\.(jsonl|ndjson)$/i.test(name) ? "jsonl" : "json";
  }
  const isTabbed = first.includes("\t");
  const isTable = /\.(csv|tsv)$/i.test(name) || first.split(/[,;|\t]/).some((cell) => NAMES.has(plain(cell)));
  if (!isTable) return "jsonl";
  return isTabbed ? "tsv" : "csv";
}

const plain = (/** @type {string} */ cell) => cell.replaceAll('"', "").trim().toLowerCase();

/**
 * Reads a data set.
 * @param {string} text
 * @param {string} name the file's, where there is one
 * @param {CsvReader | null} csv for containers that need it
 * @returns {Reading}
 */
export function read(text, name = "", csv = null) {
  const container = containerOf(text, name);
  /** @type {Reading} */
  const reading = { container, forms: {}, rows: [], bad: [], beyond: 0 };
  const isCsv = container === "csv" || container === "tsv";
  if (isCsv && !csv) throw new Error("reading CSV takes a CSV reader");
  const body = text.replace(/^\uFEFF/, "");
  const entries = isCsv ? csv?.(body, container) : container === "json" ? jsonRows(body) : lines(body);
  for (const entry of entries ?? []) take(reading, entry);
  return reading;
}

function take(/** @type {Reading} */ reading, /** @type {Entry} */ { line, value, error }) {
  if (reading.rows.length === MOST_ROWS) {
    reading.beyond += 1;
    return;
  }
  try {
    if (error !== undefined) throw new RowError("", error);
    const { row, form } = readRow(value);
    reading.rows.push(row);
    reading.forms[form] = (reading.forms[form] ?? 0) + 1;
  } catch (problem) {
    if (!(problem instanceof RowError)) throw problem;
    reading.bad.push({ line, field: problem.field, reason: problem.message });
  }
}

/** @returns {Entry} */
function parsed(/** @type {string} */ text, /** @type {number} */ line) {
  try {
    return { line, value: JSON.parse(text) };
  } catch (error) {
    return { line, error: `is not JSON (${withoutPlace(/** @type {Error} */ (error).message)})` };
  }
}

/** Browsers name a place in these messages, and quote the text around it: of the piece they were given, not of the file. */
function withoutPlace(/** @type {string} */ message) {
  return message
    .replace(/, (\.\.\.)?".*is not valid JSON$|^JSON\.parse: /gs, "")
    .replace(/ (in JSON )?at (position|line) .*/s, "");
}

/** @returns {Generator<Entry>} */
function* lines(/** @type {string} */ text) {
  let line = 0;
  for (const content of text.split(/\r\n|\n|\r/)) {
    line += 1;
    if (content.trim() !== "") yield parsed(content, line);
  }
}

/** The rows of a list, of the list in an object, or of an object that is a row itself. @returns {Generator<Entry>} */
function* jsonRows(/** @type {string} */ text) {
  let start = text.search(/\S/);
  if (text[start] === "{") {
    const whole = parsed(text, 1);
    const names = Object.keys(whole.value ?? {});
    const list = /"(?:[^"\\]|\\.)*"\s*:\s*(?=\[\s*\{)/.exec(text);
    if (!list || names.some((name) => NAMES.has(name.toLowerCase()))) return yield whole;
    start = list.index + list[0].length;
  }
  let [line, counted] = [1, 0];
  for (const [from, to] of elements(text, start)) {
    for (; counted < from; counted++) if (text[counted] === "\n") line += 1;
    yield parsed(text.slice(from, to), line);
  }
}

/**
 * Where the elements of a list begin and end, so that each is parsed by itself: one that is broken does not take the
 * others along. `start` is the list's bracket.
 * @returns {Generator<[number, number]>}
 */
function* elements(/** @type {string} */ text, /** @type {number} */ start) {
  const nextRow = /^\s*,?\s*\{/;
  let [depth, begin, isQuoted] = [0, -1, false];
  for (let i = start + 1; i < text.length; i++) {
    const c = text[i];
    if (isQuoted && c !== '"' && c !== "\\" && c !== "\n") continue;
    // No text in JSON goes over the end of a line: a quote that was never closed ends here, and often its row too.
    const isLost = isQuoted && c === "\n" && nextRow.test(text.slice(i, i + 100));
    const isEnd = isLost || (depth === 0 && !isQuoted && (c === "," || c === "]"));
    if (isEnd) {
      if (begin >= 0) yield [begin, i];
      [begin, depth, isQuoted] = [-1, 0, false];
      if (c === "]") return;
      continue;
    }
    if (begin < 0 && c.trim() !== "") begin = i;
    if (isQuoted && c === "\\") i += 1;
    else if (c === '"') isQuoted = !isQuoted;
    else if (c === "\n") isQuoted = false;
    else if (c === "{" || c === "[") depth += 1;
    else if (c === "}" || c === "]") depth -= 1;
  }
  if (begin >= 0) yield [begin, text.length]; // cut off
}

/** @type {WeakMap<Row, string>} */
const written = new WeakMap();

/** A row as the engine reads it, a line of JSON. */
export function lineOf(/** @type {Row} */ row) {
  let line = written.get(row);
  if (line === undefined) {
    const { question, answer, input = "", turns } = row;
    const hasInput = input !== "" && question.endsWith(`\n${input}`);
    const instruction = hasInput ? question.slice(0, -input.length - 1) : question;
    line = JSON.stringify(turns ? { messages: turns } : { instruction, input: hasInput ? input : "", output: answer });
    written.set(row, line);
  }
  return line;
}

/** Rows as JSON Lines. */
export function write(/** @type {readonly Row[]} */ rows) {
  return rows.map((row) => `${lineOf(row)}\n`).join("");
}

/** The forms of a reading in words: "Alpaca form", "Alpaca (500), messages (12)". */
export function formsOf(/** @type {Reading["forms"]} */ forms) {
  const found = /** @type {[Form, number][]} */ (Object.entries(forms)).sort((a, b) => b[1] - a[1]);
  if (found.length === 0) return "";
  if (found.length === 1) return `${FORMS[found[0][0]]} form`;
  return found.map(([form, number]) => `${FORMS[form]} (${count(number)})`).join(", ");
}

/**
 * Rows in the texts that people have: what holds them (JSON Lines, JSON, CSV) is recognised; rows that can't be used are
 * listed, and the others are kept.
 */
import { count } from "../ui/format.js";
import { t } from "../ui/text.js";
import { RowError } from "./fields.js";

/** What holds the rows, as it is called in a sentence. */
export const CONTAINERS = { jsonl: "JSON Lines", json: "JSON", csv: "CSV", tsv: t("containers.tsv") };
export const MOST_ROWS = 100_000;

/**
 * @typedef {keyof typeof CONTAINERS} Container
 * @typedef {{names: Set<string>, lists: Set<string>}} Columns  `names`: of the columns that say something, in lower case;
 *   `lists`: of those whose cells may be lists, written as JSON
 * @typedef {{line: number, field: string, reason: string}} Bad  `line`: where the row begins, from 1; `field`: "" for all
 *   of the row
 * @typedef {{line: number, value?: any, error?: string}} Entry  a row before its form is known, or why it is none
 * @typedef {(text: string, container: Container, columns: Columns) => Iterable<Entry>} CsvReader
 */

/**
 * @template Row
 * @typedef {{container: Container, forms: Record<string, number>, rows: Row[], bad: Bad[], beyond: number}} Reading
 *   `forms`: rows of each; `beyond`: rows after the most that are read
 */

/**
 * What holds the rows of `text`.
 * @returns {Container}
 */
export function containerOf(/** @type {string} */ text, /** @type {string} */ name, /** @type {Columns} */ { names }) {
  const [, first = "", next = ""] = /^\uFEFF?\s*([^\r\n]*)\s*(.?)/.exec(text) ?? [];
  if (first.startsWith("[")) return "json";
  if (first.startsWith("{")) {
    // One line may be an object that holds the rows as well as a row.
    const isMore = next === "{" ? !/[[{,:]\s*$/.test(first) : next !== "" && first.trimEnd().endsWith("}");
    return isMore || /\.(jsonl|ndjson)$/i.test(name) ? "jsonl" : "json";
  }
  const isTabbed = first.includes("\t");
  const isTable = /\.(csv|tsv)$/i.test(name) || first.split(/[,;|\t]/).some((cell) => names.has(plain(cell)));
  if (!isTable) return "jsonl";
  return isTabbed ? "tsv" : "csv";
}

const plain = (/** @type {string} */ cell) => cell.replaceAll('"', "").trim().toLowerCase();

/**
 * Reads the rows of a text.
 * @template Row
 * @param {{text: string, name: string, columns: Columns, csv: CsvReader | null}} from `name`: the file's, where there is one;
 *   `csv`: for containers that need it
 * @param {(value: any, line: number) => {row: Row, form: string}} readRow throws a {@link RowError} for what is none
 * @param {number} most rows that are read
 * @returns {Reading<Row>}
 */
export function readRows({ text, name, columns, csv }, readRow, most = MOST_ROWS) {
  const container = containerOf(text, name, columns);
  /** @type {Reading<Row>} */
  const reading = { container, forms: {}, rows: [], bad: [], beyond: 0 };
  for (const { line, value, error } of entries(text, container, columns, csv)) {
    if (reading.rows.length === most) {
      reading.beyond += 1;
      continue;
    }
    try {
      if (error !== undefined) throw new RowError("", error);
      const { row, form } = readRow(value, line);
      reading.rows.push(row);
      reading.forms[form] = (reading.forms[form] ?? 0) + 1;
    } catch (problem) {
      if (!(problem instanceof RowError)) throw problem;
      reading.bad.push({ line, field: problem.field, reason: problem.message });
    }
  }
  return reading;
}

/** @returns {Iterable<Entry>} */
function entries(
  /** @type {string} */ text,
  /** @type {Container} */ container,
  /** @type {Columns} */ columns,
  /** @type {CsvReader | null} */ csv,
) {
  const body = text.replace(/^\uFEFF/, "");
  if (container === "json") return jsonRows(body, columns);
  if (container === "jsonl") return lines(body);
  if (!csv) throw new Error("reading CSV takes a CSV reader");
  return csv(body, container, columns);
}

/** @returns {Entry} */
function parsed(/** @type {string} */ text, /** @type {number} */ line) {
  try {
    return { line, value: JSON.parse(text) };
  } catch (error) {
    return { line, error: t("containers.not-json", { reason: withoutPlace(/** @type {Error} */ (error).message) }) };
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
function* jsonRows(/** @type {string} */ text, /** @type {Columns} */ columns) {
  let start = text.search(/\S/);
  if (text[start] === "{") {
    const whole = parsed(text, 1);
    const names = Object.keys(whole.value ?? {});
    const list = /"(?:[^"\\]|\\.)*"\s*:\s*(?=\[\s*\{)/.exec(text);
    if (!list || names.some((name) => columns.names.has(name.toLowerCase()))) return yield whole;
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

/** The forms of a reading in words: "Alpaca form", "Alpaca (500), messages (12)". `names`: what they are called. */
export function formsOf(/** @type {Record<string, number>} */ forms, /** @type {Record<string, string>} */ names) {
  const found = Object.entries(forms).sort((a, b) => b[1] - a[1]);
  if (found.length === 0) return "";
  if (found.length === 1) return t("containers.form", { form: names[found[0][0]] });
  return found.map(([form, number]) => `${names[form]} (${count(number)})`).join(", ");
}

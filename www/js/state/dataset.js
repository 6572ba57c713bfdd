/** An instruction set: its rows read from any text that holds them, and written as the engine reads them. */
import { readRows } from "./containers.js";
import { COLUMNS, readRow } from "./dataset-rows.js";

/** @typedef {import("./dataset-rows.js").Row} Row */

/**
 * Reads an instruction set.
 * @param {string} text
 * @param {string} name the file's, where there is one
 * @param {import("./containers.js").CsvReader | null} csv for containers that need it
 */
export function read(text, name = "", csv = null) {
  return readRows({ text, name, columns: COLUMNS, csv }, readRow);
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

/** The rows of a CSV file with a header. The library comes when the first such file does. */
import { LISTS, NAMES } from "./dataset-rows.js";

/** @typedef {import("./dataset.js").Entry} Entry */

const DELIMITERS = [",", ";", "\t", "|"];

/** @returns {Promise<import("./dataset.js").CsvReader>} */
export async function loadCsv() {
  const { default: Papa } = await import("../../vendor/papaparse/papaparse.esm.js");
  return (text, container) => csvRows(Papa, text, container);
}

/**
 * @param {typeof import("../../vendor/papaparse/papaparse.esm.js").default} Papa
 * @param {string} source
 * @param {import("./dataset.js").Container} container
 * @returns {Entry[]}
 */
function csvRows(Papa, source, container) {
  const text = source.replace(/\r\n?/g, "\n");
  const header = (/** @type {string} */ delimiter) =>
    Papa.parse(text.trimStart(), { delimiter, preview: 1 }).data[0] ?? [];
  const known = (/** @type {string} */ delimiter) =>
    header(delimiter).filter((name) => NAMES.has(name.trim().toLowerCase())).length;
  const [delimiter] = container === "tsv" ? ["\t"] : DELIMITERS.toSorted((a, b) => known(b) - known(a));
  /** @type {string[] | null} */
  let names = null;
  /** @type {Entry[]} */
  const rows = [];
  let [line, begin] = [1, 0];
  Papa.parse(text, {
    delimiter,
    newline: "\n",
    step({ data, errors, meta }) {
      const from = line;
      for (; begin < meta.cursor; begin++) if (text[begin] === "\n") line += 1;
      if (data.every((cell) => cell.trim() === "")) return;
      if (names === null) names = data.map((name) => name.trim());
      else rows.push({ line: from, ...rowOf(names, data, errors) });
    },
  });
  return rows;
}

function rowOf(
  /** @type {string[]} */ names,
  /** @type {string[]} */ cells,
  /** @type {{message: string}[]} */ [broken],
) {
  if (broken) return { error: `has a quote out of place (${broken.message})` };
  while (cells.length > names.length && cells.at(-1) === "") cells.pop();
  if (cells.length > names.length)
    return { error: `has ${cells.length} cells, the header ${names.length}; a text with commas needs quotes` };
  return { value: Object.fromEntries(cells.map((cell, i) => [names[i], cellValue(names[i], cell)])) };
}

/** An empty cell is an absent field; a list of turns is written as JSON. */
function cellValue(/** @type {string} */ name, /** @type {string} */ cell) {
  if (cell === "") return null;
  if (!cell.startsWith("[") || !LISTS.has(name.toLowerCase())) return cell;
  try {
    return JSON.parse(cell);
  } catch {
    return cell;
  }
}

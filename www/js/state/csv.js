/** The rows of a CSV file with a header. The library comes when the first such file does. */
import { t } from "../ui/text.js";

/**
 * @typedef {import("./containers.js").Columns} Columns
 * @typedef {import("./containers.js").Entry} Entry
 */

const DELIMITERS = [",", ";", "\t", "|"];

/** @returns {Promise<import("./containers.js").CsvReader>} */
export async function loadCsv() {
  const { default: Papa } = await import("../../vendor/papaparse/papaparse.esm.js");
  return (text, container, columns) => csvRows(Papa, text, container, columns);
}

/**
 * @param {typeof import("../../vendor/papaparse/papaparse.esm.js").default} Papa
 * @param {string} source
 * @param {import("./containers.js").Container} container
 * @param {Columns} columns
 * @returns {Entry[]}
 */
function csvRows(Papa, source, container, columns) {
  const text = source.replace(/\r\n?/g, "\n");
  const header = (/** @type {string} */ delimiter) =>
    Papa.parse(text.trimStart(), { delimiter, preview: 1 }).data[0] ?? [];
  const known = (/** @type {string} */ delimiter) =>
    header(delimiter).filter((name) => columns.names.has(name.trim().toLowerCase())).length;
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
      else rows.push({ line: from, ...rowOf(names, data, errors, columns) });
    },
  });
  return rows;
}

function rowOf(
  /** @type {string[]} */ names,
  /** @type {string[]} */ cells,
  /** @type {{message: string}[]} */ [broken],
  /** @type {Columns} */ { lists },
) {
  if (broken) return { error: t("csv.quote", { reason: broken.message }) };
  while (cells.length > names.length && cells.at(-1) === "") cells.pop();
  if (cells.length > names.length)
    return { error: t("csv.cells", { cells: String(cells.length), names: String(names.length) }) };
  return { value: Object.fromEntries(cells.map((cell, i) => [names[i], cellValue(cell, lists.has(names[i].toLowerCase()))])) };
}

/** An empty cell is an absent field; a list of turns is written as JSON. */
function cellValue(/** @type {string} */ cell, /** @type {boolean} */ mayBeList) {
  if (cell === "") return null;
  if (!cell.startsWith("[") || !mayBeList) return cell;
  try {
    return JSON.parse(cell);
  } catch {
    return cell;
  }
}

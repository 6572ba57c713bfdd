/** What was recognised in a text with rows, and which of them were left out and why. */
import { CONTAINERS, formsOf } from "../state/containers.js";
import { el, find, setText, update } from "../ui/dom.js";
import { count, plural } from "../ui/format.js";

/**
 * @typedef {import("../state/edits.js").Recognised} Recognised
 * @typedef {{forms: Record<string, string>, most: number}} Names  `forms`: what the forms of rows are called; `most`: rows
 *   that are read
 */

const SHOWN = 20;

/** "JSON Lines, Alpaca form: 512 rows; 3 rows left out." */
export function recognised(
  /** @type {Recognised} */ { container, forms, bad, beyond },
  /** @type {Names} */ { forms: names, most },
) {
  const found = Object.values(forms).reduce((sum, number) => sum + number, 0);
  const what = [CONTAINERS[container], formsOf(forms, names)].filter((part) => part !== "").join(", ");
  const left = bad.length > 0 ? `; ${plural(bad.length, "row")} left out` : "";
  const more = beyond > 0 ? `; only the first ${count(most)} are used, ${count(beyond)} more are not` : "";
  return `${what}: ${plural(found, "row")}${left}${more}.`;
}

/** "line 3: output is missing", and without a field what the whole row is. */
export function why(/** @type {import("../state/containers.js").Bad} */ { line, field, reason }) {
  return `line ${line}: ${field === "" ? "the row" : field} ${reason}`;
}

/** Draws it in the editor whose elements begin with `prefix`; nothing where nothing was read. */
export function drawReport(
  /** @type {string} */ prefix,
  /** @type {import("../state/edits.js").Source | null} */ source,
  /** @type {Names} */ names,
) {
  setText(find(`${prefix}-read`), source ? `${source.name}: ${recognised(source.read, names)}` : "");
  const bad = source?.read.bad ?? [];
  const list = find(`${prefix}-bad`);
  update(list, { hidden: bad.length === 0 });
  setText(find("summary", list), `${plural(bad.length, "row")} left out`);
  const rows = bad
    .slice(0, SHOWN)
    .map(({ line, field, reason }) =>
      el("tr", {}, el("th", { scope: "row" }, count(line)), el("td", {}, field || "the row"), el("td", {}, reason)),
    );
  find("tbody", list).replaceChildren(...rows);
  setText(find("p", list), bad.length > SHOWN ? `And ${plural(bad.length - SHOWN, "more row")}.` : "");
}

/** What was recognised in a text with rows, and which of them were left out and why. */
import { CONTAINERS, formsOf } from "../state/containers.js";
import { el, find, setText, update } from "../ui/dom.js";
import { count } from "../ui/format.js";
import { t } from "../ui/text.js";

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
  const n = Object.values(forms).reduce((sum, number) => sum + number, 0);
  const what = [CONTAINERS[container], formsOf(forms, names)].filter((part) => part !== "").join(", ");
  const found = [t("editor-report.rows", { n })];
  if (bad.length > 0) found.push(t("editor-report.left-out", { n: bad.length }));
  if (beyond > 0) found.push(t("editor-report.beyond", { most, n: beyond }));
  return `${what}: ${found.join("; ")}.`;
}

/** "line 3: output is missing", and without a field what the whole row is. */
export function why(/** @type {import("../state/containers.js").Bad} */ { line, field, reason }) {
  const values = { line: String(line), field, reason };
  return field === "" ? t("editor-report.why-row", values) : t("editor-report.why-field", values);
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
  setText(find("summary", list), t("editor-report.left-out", { n: bad.length }));
  const rows = bad
    .slice(0, SHOWN)
    .map(({ line, field, reason }) =>
      el("tr", {}, el("th", { scope: "row" }, count(line)), el("td", {}, field || t("editor-report.the-row")), el("td", {}, reason)),
    );
  find("tbody", list).replaceChildren(...rows);
  setText(find("p", list), bad.length > SHOWN ? t("editor-report.more", { n: bad.length - SHOWN }) : "");
}

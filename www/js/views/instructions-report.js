/** What was recognised in an instruction set, which rows were left out and why, and how long the rows are. */
import { CONTAINERS, MOST_ROWS, formsOf } from "../state/dataset.js";
import { summed } from "../state/token-counts.js";
import { el, find, setText, update } from "../ui/dom.js";
import { count, fixed, plural } from "../ui/format.js";

/** @typedef {import("../state/dataset-edits.js").Recognised} Recognised */

const SHOWN = 20;

/** "JSON Lines, Alpaca form: 512 rows; 3 rows left out." */
export function recognised(/** @type {Recognised} */ { container, forms, bad, beyond }) {
  const found = Object.values(forms).reduce((sum, number) => sum + number, 0);
  const what = [CONTAINERS[container], formsOf(forms)].filter((part) => part !== "").join(", ");
  const left = bad.length > 0 ? `; ${plural(bad.length, "row")} left out` : "";
  const more = beyond > 0 ? `; only the first ${count(MOST_ROWS)} are used, ${count(beyond)} more are not` : "";
  return `${what}: ${plural(found, "row")}${left}${more}.`;
}

/** "output is missing", and without a field what the whole row is. */
export function why(/** @type {import("../state/dataset.js").Bad} */ { line, field, reason }) {
  return `line ${line}: ${field === "" ? "the row" : field} ${reason}`;
}

export function drawReport(/** @type {import("../state/dataset-edits.js").Source | null} */ source) {
  setText(find("#instructions-read"), source ? `${source.name}: ${recognised(source.read)}` : "");
  const bad = source?.read.bad ?? [];
  const list = find("#instructions-bad");
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

/** "512 rows, 23 tokens on average, 41 at most; 2 are cut at 64." */
export function tokenSentence(
  /** @type {import("../state/token-counts.js").TokenCounts} */ counts,
  /** @type {number} */ maxLen,
) {
  if (counts.rows.length === 0) return "";
  if (counts.engine === "waiting") return "Tokens are counted once the engine is ready.";
  if (counts.engine === "absent") return "Tokens can't be counted here: there is no engine.";
  const found = summed(counts, maxLen);
  if (!found) return `Counting tokens: ${count(counts.done)} of ${plural(counts.rows.length, "row")}.`;
  const { rows, sum, most, cut, mute, refused } = found;
  const cuts = cut === 0 ? `none is cut at ${count(maxLen)}` : `${isAre(cut)} cut at ${count(maxLen)}`;
  const mutes = mute === 0 ? "" : `, ${count(mute)} of them before its answer: no run starts with such a row`;
  const refusals = refused === 0 ? "" : `; ${count(refused)} can't be put into the model's chat template`;
  const head = `${plural(rows, "row")}, ${fixed(sum / rows, 0)} tokens on average, ${count(most)} at most`;
  return `${head}; ${cuts}${mutes}${refusals}.`;
}

const isAre = (/** @type {number} */ number) => `${count(number)} ${number === 1 ? "is" : "are"}`;

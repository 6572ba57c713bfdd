/** How long the rows of an instruction set are. */
import { summed } from "../state/token-counts.js";
import { count, fixed, plural } from "../ui/format.js";

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

/** How long the rows of an instruction set are. */
import { summed } from "../state/token-counts.js";
import { count, fixed } from "../ui/format.js";
import { t } from "../ui/text.js";

/** "512 rows, 23 tokens on average, 41 at most; 2 are cut at 64." */
export function tokenSentence(
  /** @type {import("../state/token-counts.js").TokenCounts} */ counts,
  /** @type {number} */ maxLen,
) {
  if (counts.rows.length === 0) return "";
  if (counts.engine === "waiting") return t("instructions-report.waiting");
  if (counts.engine === "absent") return t("instructions-report.absent");
  const found = summed(counts, maxLen);
  if (!found) return t("instructions-report.counting", { done: counts.done, n: counts.rows.length });
  const { rows, sum, most, cut, mute, refused } = found;
  const length = count(maxLen);
  const head = t("instructions-report.length", { n: rows, average: fixed(sum / rows, 0), most });
  const cuts = cut === 0 ? t("instructions-report.none-cut", { length }) : t("instructions-report.cut", { n: cut, length });
  const mutes = mute === 0 ? "" : `, ${t("instructions-report.mute", { n: mute })}`;
  const refusals = refused === 0 ? "" : `; ${t("instructions-report.refused", { n: refused })}`;
  return `${head}; ${cuts}${mutes}${refusals}.`;
}

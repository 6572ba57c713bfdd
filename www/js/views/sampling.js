/** How the tokens of an answer are chosen, the likeliest, or drawn. */
import { t } from "../ui/text.js";

/** @typedef {import("../contract/types.js").Sampling} Sampling */

/** The fields of the question box; a temperature of 0 is greedy. */
export const SAMPLING = {
  temperature: { low: 0, high: 10, start: 0 },
  top_p: { low: 0, high: 1, start: 1 },
  seed: { low: 0, high: 4294967295, start: 1 },
};

/** A value from text, within its range and to three decimals; `last` where the text is no number. */
export function readField(
  /** @type {keyof Sampling} */ name,
  /** @type {string} */ text,
  /** @type {number} */ last,
) {
  const value = text.trim() === "" ? NaN : Number(text);
  if (!Number.isFinite(value)) return last;
  const { low, high } = SAMPLING[name];
  const rounded = name === "seed" ? Math.round(value) : Math.round(value * 1000) / 1000;
  return Math.min(high, Math.max(low, rounded));
}

/** One line about an answer: how it was made. */
export function describeSampling(/** @type {Sampling} */ { temperature, top_p, seed }) {
  if (temperature === 0) return t("sampling.greedy");
  const values = { temperature, top_p, seed: String(seed) };
  return top_p < 1 ? t("sampling.drawn-top-p", values) : t("sampling.drawn", values);
}

/** How the tokens of an answer are chosen, as in src/engine/sampling.rs: the likeliest, or drawn. */
import { clamp } from "./settings.js";

/** @typedef {{temperature: number, top_p: number, seed: number}} Sampling */

/** The fields of the question box; a temperature of 0 is greedy. */
export const SAMPLING = {
  temperature: { kind: "real", low: 0, high: 10, start: 0 },
  top_p: { kind: "real", low: 0, high: 1, start: 1 },
  seed: { kind: "whole", low: 0, high: 4294967295, start: 1 },
};

/** A value from text, within its range and to three decimals; `last` where the text is no number. */
export function readField(name, text, last) {
  const value = clamp(SAMPLING[name], text);
  return value === null ? last : Math.round(value * 1000) / 1000;
}

/** One line about an answer: how it was made. */
export function describeSampling(/** @type {Sampling} */ { temperature, top_p, seed }) {
  if (temperature === 0) return "greedy";
  return `drawn at temperature ${temperature}${top_p < 1 ? `, top-p ${top_p}` : ""}, seed ${seed}`;
}

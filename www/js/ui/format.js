/** How numbers and names are written. A figure that does not exist is a dash. */

import { language } from "./language.js";
import { t } from "./text.js";

const NONE = "–";
const whole = new Intl.NumberFormat(language);
/** By their number of decimals. @type {Map<number, Intl.NumberFormat>} */
const decimal = new Map();

/** Instead of figures, before a run's first measure. */
export const NOT_MEASURED = t("format.not-measured");

/** @returns {value is number} */
export function isNumber(/** @type {unknown} */ value) {
  return typeof value === "number" && Number.isFinite(value);
}

/** 12,345 */
export function count(/** @type {unknown} */ value) {
  return isNumber(value) ? whole.format(Math.round(value)) : NONE;
}

/** As the language writes it, without groups of thousands. */
function write(/** @type {number} */ value, /** @type {number} */ decimals) {
  let format = decimal.get(decimals);
  if (!format) {
    const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
    format = new Intl.NumberFormat(language, { ...digits, useGrouping: false });
    decimal.set(decimals, format);
  }
  return format.format(value);
}

/** With a fixed number of decimals. */
export function fixed(/** @type {unknown} */ value, decimals = 2) {
  return isNumber(value) ? write(value, decimals) : NONE;
}

/** With its sign, + or -, and a fixed number of decimals. */
export function signed(/** @type {unknown} */ value, decimals = 2) {
  return isNumber(value) && value >= 0 ? `+${fixed(value, decimals)}` : fixed(value, decimals);
}

/** Nats: three decimals below 1, two above. */
export function nats(/** @type {unknown} */ value) {
  return fixed(value, isNumber(value) && Math.abs(value) < 1 ? 3 : 2);
}

/** A share from 0 to 1: "82.5 %", with a space that does not break. */
export function percent(/** @type {unknown} */ share, decimals = 1) {
  return isNumber(share) ? `${write(100 * share, decimals)}\u00a0%` : NONE;
}

/** A probability from its logarithm: "0.03 %" keeps small ones visible. */
export function probability(/** @type {unknown} */ logprob) {
  if (!isNumber(logprob)) return NONE;
  const p = Math.exp(logprob);
  if (p > 0 && p < 0.0001) return `<\u00a0${write(0.01, 2)}\u00a0%`;
  return percent(p, p < 0.1 ? 2 : 1);
}

/** A learning rate: "1e-3", "3e-4", "0.5". */
export function rate(/** @type {unknown} */ value) {
  if (!isNumber(value)) return NONE;
  if (value === 0 || value >= 0.1) return String(Number(value.toPrecision(3)));
  return Number(value.toPrecision(3)).toExponential();
}

/** 1.9 MB */
export function bytes(/** @type {unknown} */ value) {
  if (!isNumber(value)) return NONE;
  if (value < 1000) return `${value} B`;
  if (value < 1e6) return `${write(value / 1e3, 1)} kB`;
  if (value < 1e9) return `${write(value / 1e6, 1)} MB`;
  return `${write(value / 1e9, 1)} GB`;
}

/** @type {Record<string, string>} */
const LONGER = { number: t("format.relation.number"), year: t("format.relation.year") };

/** Roughly: "40 s", "12 min", "2.5 h". */
export function duration(/** @type {unknown} */ seconds) {
  if (!isNumber(seconds)) return NONE;
  if (seconds < 90) return t("format.seconds", { n: count(Math.max(1, seconds)) });
  if (seconds < 5400) return t("format.minutes", { n: count(seconds / 60) });
  return t("format.hours", { n: fixed(seconds / 3600, 1) });
}

/** A relation as a reader names it: "calling_code" -> "calling code". */
export function words(/** @type {string} */ name) {
  return Object.hasOwn(LONGER, name) ? LONGER[name] : name.replaceAll("_", " ");
}

/** A model as the engine calls it, "Atlas, 2,016,960 parameters", in the page's language. */
export function modelName(/** @type {string} */ title) {
  const [, name, size] = /^(.*), ([\d,]+) parameters$/.exec(title) ?? [];
  return size === undefined ? title : t("format.model", { name, size: Number(size.replaceAll(",", "")) });
}

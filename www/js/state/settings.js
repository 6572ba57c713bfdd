/** The choices of a run, as the contract describes them. Nothing here touches the page. */
import { DEFAULT_SETTINGS, RUN_FIELDS } from "../contract/data.js";

/**
 * @typedef {import("../contract/types.js").Settings} Settings
 * @typedef {import("../contract/types.js").FieldData} Field
 */

/** A run that nothing was chosen for. @returns {Settings} */
export function defaults() {
  return structuredClone(DEFAULT_SETTINGS);
}

/** What `owner`, a run or an arm, has in a field; nothing where its method lacks it. */
export function valueOf(/** @type {any} */ owner, /** @type {Field} */ field) {
  return field.name.split(".").reduce((part, name) => part?.[name], owner);
}

/**
 * `owner` with another value in a field.
 * @template T
 * @param {T} owner
 * @param {Field} field
 * @param {unknown} value
 * @returns {T}
 */
export function withValue(owner, field, value) {
  const copy = structuredClone(owner);
  const path = field.name.split(".");
  const last = path.pop();
  const part = path.reduce((inner, name) => inner[name], /** @type {any} */ (copy));
  part[/** @type {string} */ (last)] = value;
  return copy;
}

/** Reads a field's text: a value within its range, null where it can't be read. */
export function readField(/** @type {Field} */ field, /** @type {string} */ text) {
  const trimmed = text.trim();
  if (field.kind === "whole" || field.kind === "real") {
    const value = trimmed === "" ? NaN : Number(trimmed);
    if (!Number.isFinite(value)) return null;
    const bounded = Math.min(field.high ?? Infinity, Math.max(field.low ?? -Infinity, value));
    return field.kind === "whole" ? Math.round(bounded) : bounded;
  }
  if (field.kind === "switch") return trimmed === "true" ? true : trimmed === "false" ? false : null;
  if (field.kind === "adapter") return /^[a-z0-9-]{0,24}$/.test(trimmed) ? trimmed : null;
  const options = field.options ?? [];
  if (field.kind === "choice") return options.includes(trimmed) ? trimmed : null;
  const names = trimmed.split(",");
  const chosen = options.filter((option) => names.includes(option));
  return chosen.length > 0 && chosen.length === new Set(names).size ? chosen : null;
}

/** A value as a link holds it. */
export function writeField(/** @type {unknown} */ value) {
  return String(value);
}

/** Names of the fields in which two runs differ; "arms" for their arms. */
export function differences(/** @type {Settings} */ a, /** @type {Settings} */ b) {
  const names = RUN_FIELDS.filter((field) => String(valueOf(a, field)) !== String(valueOf(b, field))).map((f) => f.name);
  return JSON.stringify(a.arms) === JSON.stringify(b.arms) ? names : [...names, "arms"];
}

/** The fields of a row as people's tools write them, and why a row can't be used. */
import { t } from "../ui/text.js";

/** Why a row can't be used. */
export class RowError extends Error {
  constructor(/** @type {string} */ field, /** @type {string} */ reason) {
    super(reason);
    this.field = field;
  }
}

export function kind(/** @type {unknown} */ value) {
  if (value === null || value === undefined) return "null";
  if (Array.isArray(value)) return t("fields.list");
  if (typeof value === "boolean") return t("fields.true-or-false");
  if (typeof value === "string") return t("fields.text");
  return typeof value === "number" ? t("fields.number") : t("fields.object");
}

/** A field as text: a number as it is written, content in parts joined. @returns {string} */
export function asText(/** @type {any} */ value, /** @type {string} */ field) {
  if (typeof value === "number") return String(value);
  if (Array.isArray(value)) return value.map((part, i) => partText(part, `${field}[${i}]`)).join("");
  if (typeof value !== "string") throw new RowError(field, t("fields.not-text", { kind: kind(value) }));
  return value.replace(/\p{Surrogate}/gu, "\uFFFD"); // half a character, which no JSON parser need take
}

/** @returns {string} */
function partText(/** @type {any} */ part, /** @type {string} */ field) {
  const text = typeof part === "string" ? part : part?.text;
  const type = part?.type ?? "text";
  if (type !== "text") throw new RowError(field, t("fields.type", { type: String(type) }));
  if (typeof text !== "string") throw new RowError(field, t("fields.not-text", { kind: kind(part) }));
  return asText(text, field);
}

export function filled(/** @type {string} */ text, /** @type {string} */ field) {
  if (text.trim() === "") throw new RowError(field, t("fields.is-empty"));
  return text;
}

/** @typedef {Map<string, {name: string, value: any}>} Fields  by lower-case name, without those that are null */

/** The fields of a row. @returns {Fields} @throws {RowError} */
export function fieldsOf(/** @type {any} */ value) {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new RowError("", t("fields.not-an-object", { kind: kind(value) }));
  /** @type {Fields} */
  const fields = new Map();
  for (const [name, content] of Object.entries(value)) {
    if (content !== null) fields.set(name.trim().toLowerCase(), { name: name.trim(), value: content });
  }
  return fields;
}

/** The first of these fields that is there. */
export function first(/** @type {Fields} */ fields, /** @type {string[]} */ names) {
  for (const name of names) {
    const field = fields.get(name);
    if (field) return field;
  }
  return null;
}

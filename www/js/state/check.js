/** Checks a parsed file against a JSON schema of the contract, and fills in what it may leave out. */

import { t } from "../ui/text.js";

/** A file that can't be shown; the message says where and why. */
export class RecordError extends Error {}

const MOST_ENTRIES = 1e6;

/** @throws {RecordError} where a text is no JSON */
export function parseJson(/** @type {string} */ text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new RecordError(t("check.not-json", { reason: /** @type {Error} */ (error).message }));
  }
}

const fail = (/** @type {string} */ path, /** @type {string} */ wanted) => {
  throw new RecordError(t("check.should-be", { path, wanted }));
};

const oneOf = (/** @type {unknown[]} */ names) => t("check.one-of", { names: names.join(", ") });

/** @typedef {any} Schema  the part of JSON Schema that contract/data.js uses */

/**
 * @param {Record<string, Schema>} definitions
 * @param {string} name of the definition that `value` should be
 * @param {unknown} value
 * @param {string} path where it is, for messages
 */
export function check(definitions, name, value, path) {
  new Checker(definitions).check({ $ref: name }, value, path);
}

class Checker {
  constructor(/** @type {Record<string, Schema>} */ definitions) {
    this.definitions = definitions;
  }

  /** @returns {void} */
  check(/** @type {Schema} */ schema, /** @type {any} */ value, /** @type {string} */ path) {
    if (schema.$ref) this.check(this.definitions[schema.$ref.split("/").at(-1)], value, path);
    const options = schema.oneOf ?? schema.anyOf;
    if (options) return this.checkOneOf(options, value, path);
    if ("const" in schema && value !== schema.const) fail(path, JSON.stringify(schema.const));
    if (schema.enum && !schema.enum.includes(value)) fail(path, oneOf(schema.enum));
    if (schema.type) this.checkType(schema, value, path);
    if (schema.properties) this.checkObject(schema, value, path);
  }

  /** @private */
  checkType(/** @type {Schema} */ schema, /** @type {any} */ value, /** @type {string} */ path) {
    const types = [schema.type].flat();
    if (value === null && types.includes("null")) return;
    const [type] = types;
    if (type === "string" && typeof value !== "string") fail(path, t("check.text"));
    if (type === "boolean" && typeof value !== "boolean") fail(path, t("check.true-or-false"));
    if (type === "integer" && !(Number.isInteger(value) && value >= 0)) fail(path, t("check.whole-number"));
    // JSON writes null for a loss that is no number.
    if (type === "number" && value !== null && !Number.isFinite(value)) fail(path, t("check.number"));
    if (type === "array") this.checkArray(schema, value, path);
    if (type === "object" && (typeof value !== "object" || value === null || Array.isArray(value))) {
      fail(path, t("check.object"));
    }
    if (type === "object" && typeof schema.additionalProperties === "object") {
      for (const [name, entry] of Object.entries(value)) this.check(schema.additionalProperties, entry, `${path}.${name}`);
    }
  }

  /** @private */
  checkArray(/** @type {Schema} */ schema, /** @type {any} */ value, /** @type {string} */ path) {
    const { prefixItems, items } = schema;
    if (!Array.isArray(value) || value.length > MOST_ENTRIES) fail(path, t("check.list"));
    if (prefixItems && value.length !== prefixItems.length) fail(path, t("check.list-of", { length: prefixItems.length }));
    value.forEach((/** @type {any} */ entry, /** @type {number} */ i) =>
      this.check(prefixItems ? prefixItems[i] : items, entry, `${path}[${i}]`),
    );
  }

  /** @private */
  checkObject(/** @type {Schema} */ schema, /** @type {any} */ value, /** @type {string} */ path) {
    if (typeof value !== "object" || value === null) fail(path, t("check.object"));
    for (const [name, property] of Object.entries(schema.properties)) {
      if (value[name] !== undefined) this.check(property, value[name], `${path}.${name}`);
      else if ("default" in property) value[name] = structuredClone(property.default);
      else if (schema.required?.includes(name)) this.check(property, undefined, `${path}.${name}`);
    }
    if (schema.additionalProperties !== false) return;
    const unknown = Object.keys(value).find((name) => !Object.hasOwn(schema.properties, name));
    if (!unknown) return;
    const names = Object.keys(schema.properties).join(", ");
    throw new RecordError(t("check.no-field", { path: `${path}.${unknown}`, names }));
  }

  /** What a value could be; an object's own kind or type decides whose errors are reported. @private @returns {void} */
  checkOneOf(/** @type {Schema[]} */ options, /** @type {any} */ value, /** @type {string} */ path) {
    const constants = options.filter((option) => "const" in option || option.enum);
    if (constants.length === options.length) {
      const names = options.flatMap((option) => option.enum ?? [option.const]);
      if (!names.includes(value)) fail(path, oneOf(names));
      return;
    }
    if (value === null && options.some((option) => option.type === "null")) return;
    const known = options.filter((option) => option.type !== "null");
    if (known.length === 1) return this.check(known[0], value, path);
    const tag = ["type", "kind"].find((name) => known.every((option) => option.properties?.[name]?.const));
    if (!tag) throw new Error(`the schema at ${path} has no tag`);
    const own = known.find((option) => option.properties[tag].const === value?.[tag]);
    if (!own) return fail(`${path}.${tag}`, oneOf(known.map((o) => o.properties[tag].const)));
    this.check(own, value, path);
  }
}

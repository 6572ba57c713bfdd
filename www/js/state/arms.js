/** The list of arms: what can be done with it, and an arm as a line of text. Nothing here touches the page. */
import { ARM_FIELDS, BASE, DEFAULT_ARMS, MOST_ARMS } from "../contract/data.js";
import { t } from "../ui/text.js";
import { readField, valueOf, withValue, writeField } from "./settings.js";

/**
 * @typedef {import("../contract/types.js").ArmSpec} ArmSpec
 * @typedef {ArmSpec["method"]["kind"]} Kind
 */

/** An arm that can't be read; the message says why. */
export class ArmError extends Error {}

const NAME = { lora: "LoRA", full: "Full" };
const LONGEST_LABEL = 40;

/** The fields that an arm of this method has. */
export function fieldsOf(/** @type {Kind} */ kind) {
  return ARM_FIELDS.filter((field) => !field.method || field.method === kind);
}

/** `wanted`, or what follows it where another arm has it: "lora", "lora-2". */
function unused(/** @type {string} */ wanted, /** @type {string[]} */ taken, /** @type {string} */ separator) {
  if (!taken.includes(wanted)) return wanted;
  for (let n = 2; ; n += 1) if (!taken.includes(`${wanted}${separator}${n}`)) return `${wanted}${separator}${n}`;
}

/** The arm with an id and a label that no other arm has. */
function distinct(/** @type {ArmSpec} */ arm, /** @type {ArmSpec[]} */ others) {
  const id = unused(arm.id, others.map((other) => other.id), "-");
  const label = unused(arm.label, others.map((other) => other.label), " ");
  return { ...arm, id, label };
}

/** The list with one more arm, of the method that fewer have; as it is where it is full. */
export function added(/** @type {ArmSpec[]} */ arms, /** @type {Kind} */ kind) {
  if (arms.length >= MOST_ARMS) return arms;
  return [...arms, distinct(structuredClone(DEFAULT_ARMS[kind]), arms)];
}

/** The list with a copy of an arm after it. */
export function duplicated(/** @type {ArmSpec[]} */ arms, /** @type {string} */ id) {
  const place = arms.findIndex((arm) => arm.id === id);
  if (place < 0 || arms.length >= MOST_ARMS) return arms;
  const copy = distinct(structuredClone(arms[place]), arms);
  return [...arms.slice(0, place + 1), copy, ...arms.slice(place + 1)];
}

/** The list without an arm; the last one stays. */
export function removed(/** @type {ArmSpec[]} */ arms, /** @type {string} */ id) {
  return arms.length > 1 ? arms.filter((arm) => arm.id !== id) : arms;
}

/** The list with another arm in the place of the one with its id. */
export function replaced(/** @type {ArmSpec[]} */ arms, /** @type {ArmSpec} */ arm) {
  return arms.map((other) => (other.id === arm.id ? arm : other));
}

/** The arm with another method; what both methods have stays, a label of the method's own goes along. */
export function withMethod(/** @type {ArmSpec} */ arm, /** @type {Kind} */ kind) {
  const fresh = structuredClone(DEFAULT_ARMS[kind]);
  const isOwnLabel = !arm.label.startsWith(NAME[arm.method.kind]);
  const label = isOwnLabel ? arm.label : arm.label.replace(NAME[arm.method.kind], NAME[kind]);
  let result = { ...fresh, id: arm.id, label };
  for (const field of fieldsOf(kind)) {
    const value = valueOf(arm, field);
    if (value !== undefined) result = withValue(result, field, value);
  }
  return result;
}

/** The arm with the shape of the adapter that it starts from; with none it starts fresh. */
export function withStart(/** @type {ArmSpec} */ arm, /** @type {import("../contract/types.js").LoraSpec | null} */ spec) {
  const method = { ...arm.method, ...(spec ?? { start: "" }) };
  return { ...arm, method: /** @type {ArmSpec["method"]} */ (method) };
}

/** The list with one more arm, which starts from an adapter and is called as it is. */
export function fromAdapter(
  /** @type {ArmSpec[]} */ arms,
  /** @type {import("../contract/types.js").AdapterInfo} */ { name, spec },
) {
  const fresh = { ...structuredClone(DEFAULT_ARMS.lora), id: name, label: name };
  return [...arms, distinct(withStart(fresh, spec), arms)];
}

/** Why a label can't be, "" where it can. */
export function labelError(/** @type {string} */ label, /** @type {ArmSpec} */ arm, /** @type {ArmSpec[]} */ arms) {
  if (label.trim() === "" || label.length > LONGEST_LABEL) return t("arms.label-length", { most: LONGEST_LABEL });
  if (arms.some((other) => other.id !== arm.id && other.label === label)) return t("arms.label-taken");
  return "";
}

/**
 * "lora r=4 lr=3e-4 label=…": only what differs from the method's default.
 * @param {ArmSpec} arm
 * @param {string[]} leftOut keys that are not written
 */
export function writeArm(arm, leftOut = []) {
  const { kind } = arm.method;
  const usual = DEFAULT_ARMS[kind];
  const label = (/** @type {ArmSpec} */ spec) => `"${spec.label.replaceAll('"', "'")}"`;
  const parts = [
    ...fieldsOf(kind).map((field) => [field.key, writeField(valueOf(arm, field)), writeField(valueOf(usual, field))]),
    ["id", arm.id, usual.id],
    ["label", label(arm), label(usual)],
  ];
  const other = parts.filter(([key, value, common]) => value !== common && !leftOut.includes(key));
  return [kind, ...other.map(([key, value]) => `${key}=${value}`)].join(" ");
}

/** Reads arms, one a text, as `driftscope run --arm` does. @returns {ArmSpec[]} */
export function readArms(/** @type {string[]} */ texts) {
  if (texts.length > MOST_ARMS) throw new ArmError(t("arms.too-many", { most: MOST_ARMS, found: String(texts.length) }));
  const arms = /** @type {ArmSpec[]} */ ([]);
  for (const text of texts) arms.push(distinct(readArm(text), arms));
  return arms;
}

/** @returns {ArmSpec} */
function readArm(/** @type {string} */ text) {
  const words = text.match(/(?:[^\s"]|"[^"]*")+/g) ?? [];
  const [kind, ...rest] = words;
  if (kind === undefined) throw new ArmError(t("arms.empty"));
  if (kind !== "lora" && kind !== "full") throw new ArmError(t("arms.no-method", { kind }));
  let arm = structuredClone(DEFAULT_ARMS[kind]);
  for (const word of rest) {
    const at = word.indexOf("=");
    const [key, value] = [word.slice(0, at), word.slice(at + 1).replaceAll('"', "")];
    const field = fieldsOf(kind).find((candidate) => candidate.key === key);
    const parsed = field ? readField(field, value) : null;
    if (field && parsed !== null) arm = withValue(arm, field, parsed);
    else if (key === "label" && labelError(value, arm, []) === "") arm.label = value;
    else if (key === "id" && /^[a-z0-9-]{1,24}$/.test(value) && value !== BASE) arm.id = value;
    else throw new ArmError(t("arms.unreadable", { word }));
  }
  return arm;
}

/**
 * Settings in the address: `#v=2&batch=4&arm=lora+r=4+lr=3e-4&arm=full`. Only what differs from the default is written,
 * every value is clamped when read, and whatever can't be read is left out.
 */
import { RUN_FIELDS } from "../contract/data.js";
import { ArmError, readArms, writeArm } from "./arms.js";
import { SHIPPED_SETS } from "./shipped-sets.js";
import { defaults, readField, valueOf, withValue, writeField } from "./settings.js";
import { upgradeLink } from "./upgrade.js";

const VERSION = "2";
const BACKENDS = ["auto", "webgpu", "cpu"];
/** Sections of the page that `hide=` may name. */
export const HIDEABLE = ["setup", "data", "models", "figures", "findings", "walls", "shift", "weights", "ask", "machine"];
const LONGEST = 4000;

/**
 * @typedef {{settings: import("./settings.js").Settings, muted: string[], backend: string, hidden: string[],
 *   set: string, lesson: number, ignored: string[]}} Link  `set`: of those that ship, "" for none; `lesson`: its step, from
 *   1, 0 for none; `ignored`: names that were unknown or unreadable
 */

/**
 * Reads the hash of an address.
 * @param {string} hash with or without "#"
 * @returns {Link}
 */
export function readHash(hash) {
  /** @type {Link} */
  const link = { settings: defaults(), muted: [], backend: "auto", hidden: [], set: "", lesson: 0, ignored: [] };
  const text = hash.replace(/^#/, "");
  if (text === "" || text.length > LONGEST || !text.includes("=")) return link;
  let entries = new URLSearchParams(text);
  const lesson = entries.get("lesson");
  entries.delete("lesson");
  if (lesson !== null) {
    link.lesson = Number(/^[1-9]\d?$/.exec(lesson)?.[0] ?? 0);
    if (link.lesson === 0) link.ignored.push("lesson");
    if (entries.size === 0) return link; // a step of a lesson says nothing of settings
  }
  if (entries.get("v") === "1") entries = upgradeLink(entries, link.ignored);
  if (entries.get("v") !== VERSION) {
    link.ignored.push("v");
    return link;
  }
  entries.delete("v");
  const arms = entries.getAll("arm");
  entries.delete("arm");
  if (arms.length > 0) readArmsInto(link, arms);
  for (const [name, value] of entries) if (!readEntry(link, name, value)) link.ignored.push(name);
  return link;
}

/** Arms that can't all be read are the default ones: half a comparison would mislead. */
function readArmsInto(/** @type {Link} */ link, /** @type {string[]} */ texts) {
  try {
    link.settings.arms = readArms(texts);
  } catch (error) {
    if (!(error instanceof ArmError)) throw error;
    link.ignored.push(`arm (${error.message})`);
  }
}

function readEntry(/** @type {Link} */ link, /** @type {string} */ name, /** @type {string} */ value) {
  const field = RUN_FIELDS.find((candidate) => candidate.name === name);
  if (field) {
    const parsed = readField(field, value);
    if (parsed !== null) link.settings = withValue(link.settings, field, parsed);
    return parsed !== null;
  }
  const names = value.split(",");
  if (name === "mute") {
    const ids = link.settings.arms.map((arm) => arm.id).filter((id) => names.includes(id));
    link.muted = ids.length < link.settings.arms.length ? ids : [];
    return link.muted.length > 0;
  }
  if (name === "hide") {
    link.hidden = HIDEABLE.filter((part) => names.includes(part));
    return link.hidden.length > 0;
  }
  if (name === "set") {
    link.set = SHIPPED_SETS.find(({ id }) => id === value)?.id ?? "";
    return link.set !== "";
  }
  if (name !== "engine" || !BACKENDS.includes(value)) return false;
  link.backend = value;
  return true;
}

/** What a link keeps readable. */
const encode = (/** @type {string} */ text) =>
  encodeURIComponent(text).replace(/%20/g, "+").replace(/%3D/g, "=").replace(/%2C/g, ",");

/** The hash for these settings, "" when all are defaults. */
export function writeHash(
  /** @type {import("./settings.js").Settings} */ settings,
  { muted = /** @type {string[]} */ ([]), backend = "auto", hidden = /** @type {string[]} */ ([]), set = "", lesson = 0 } = {},
) {
  const usual = defaults();
  const entries = RUN_FIELDS.map((field) => [field.name, writeField(valueOf(settings, field)), valueOf(usual, field)])
    .filter(([, value, ordinary]) => value !== writeField(ordinary))
    .map(([name, value]) => `${name}=${encode(String(value))}`);
  const arms = settings.arms.map((arm) => writeArm(arm));
  if (arms.join("\n") !== usual.arms.map((arm) => writeArm(arm)).join("\n")) entries.push(...arms.map((arm) => `arm=${encode(arm)}`));
  if (muted.length > 0) entries.push(`mute=${muted}`);
  if (backend !== "auto") entries.push(`engine=${backend}`);
  if (set !== "" && set !== SHIPPED_SETS[0].id) entries.push(`set=${set}`);
  if (hidden.length > 0) entries.push(`hide=${hidden}`);
  const step = lesson > 0 ? [`lesson=${lesson}`] : [];
  if (entries.length > 0) entries.unshift(`v=${VERSION}`);
  return [...entries, ...step].length > 0 ? `#${[...entries, ...step].join("&")}` : "";
}

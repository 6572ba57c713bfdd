/**
 * Settings in the address: `#v=1&rank=4&targets=q_proj,v_proj`. Only what differs from the default is written,
 * every value is clamped when read, and whatever cannot be read is left out.
 */
import { ARMS, CHOICES, FIELDS, SWITCHES, TARGETS, clamp, defaults, differences, pick } from "./settings.js";

export const VERSION = 1;
const BACKENDS = ["auto", "webgpu", "cpu"];
/** Sections of the page that `hide=` may name. */
export const HIDEABLE = ["setup", "figures", "findings", "walls", "shift", "weights", "ask", "machine"];
const LONGEST = 2000;

/**
 * Reads the hash of an address.
 * @param {string} hash with or without "#"
 * @returns {{settings: import("./settings.js").Settings, backend: string, hidden: string[], ignored: string[]}}
 *   `ignored`: names that were unknown or unreadable
 */
export function readHash(hash) {
  const settings = defaults();
  const none = () => /** @type {string[]} */ ([]);
  const result = { settings, backend: "auto", hidden: none(), ignored: none() };
  const text = hash.replace(/^#/, "");
  if (text === "" || text.length > LONGEST || !text.includes("=")) return result;
  const entries = new URLSearchParams(text);
  if (entries.get("v") !== String(VERSION)) {
    result.ignored.push("v");
    return result;
  }
  entries.delete("v");
  for (const [name, value] of entries) {
    if (!readEntry(result, name, value)) result.ignored.push(name);
  }
  return result;
}

function readEntry(result, name, value) {
  const { settings } = result;
  const field = FIELDS.find((candidate) => candidate.name === name);
  if (field) {
    const number = clamp(field, value);
    if (number !== null) settings[name] = number;
    return number !== null;
  }
  if (SWITCHES.some((candidate) => candidate.name === name)) {
    if (!["true", "false"].includes(value)) return false;
    settings[name] = value === "true";
    return true;
  }
  if (name === "arms" || name === "targets") {
    const chosen = pick(value.split(","), name === "arms" ? ARMS : TARGETS);
    if (chosen) settings[name] = chosen;
    return chosen !== null;
  }
  const choice = CHOICES.find((candidate) => candidate.name === name);
  if (choice) {
    if (!choice.options.includes(value)) return false;
    settings[name] = value;
    return true;
  }
  if (name === "hide") {
    result.hidden = pick(value.split(","), HIDEABLE) ?? [];
    return result.hidden.length > 0;
  }
  if (name === "engine" && BACKENDS.includes(value)) {
    result.backend = value;
    return true;
  }
  return false;
}

/** The hash for these settings and hidden parts, "" when all are defaults. */
export function writeHash(settings, backend = "auto", hidden = []) {
  const changed = differences(settings, defaults()).filter((name) => name !== "swaps"); // of one run only
  const entries = changed.map((name) => `${name}=${settings[name]}`);
  if (backend !== "auto") entries.push(`engine=${backend}`);
  if (hidden.length > 0) entries.push(`hide=${hidden}`);
  return entries.length > 0 ? `#v=${VERSION}&${entries.join("&")}` : "";
}

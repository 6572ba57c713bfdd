/**
 * The run that trains, kept in this browser (its private files, OPFS) so that a reload does not lose it: what it was begun with,
 * its events so far and the states of its arms. Only the newest is there.
 *
 * @typedef {import("./run-state.js").Texts & {settings: import("./settings.js").Settings}} Plan
 * @typedef {import("../contract/types.js").RunEvent} RunEvent
 * @typedef {import("./arm-states.js").ArmState} ArmState
 * @typedef {{plan: Plan, events: RunEvent[], model: string}} Note  `model`: what the engine calls it
 * @typedef {Note & {states: ArmState[]}} Kept  `states`: in the order in which they came
 */
import { privateFolder } from "../ui/private-folder.js";
import { newestOf } from "./arm-states.js";
import { noteText } from "./note-text.js";

const FOLDER = "run";
/** Written last, and names the states that belong to it: what breaks off leaves the one before. */
const NOTE = "note.json";
const VERSION = 2;

const folder = () => privateFolder(FOLDER);
const sizeOf = (/** @type {{blob: Blob}[]} */ states) => states.reduce((sum, { blob }) => sum + blob.size, 0);

async function write(/** @type {any} */ place, /** @type {string} */ name, /** @type {Blob} */ content) {
  const writer = await (await place.getFileHandle(name, { create: true })).createWritable();
  try {
    await writer.write(content);
  } catch (error) {
    await writer.abort().catch(() => {});
    throw error;
  }
  await writer.close();
}

/** Names of the files that are there. @returns {Promise<string[]>} */
async function names(/** @type {any} */ place) {
  const all = [];
  for await (const name of place.keys()) all.push(name);
  return all;
}

/**
 * Keeps a run in place of the previous one. If there is no room, the older half of its states is left out, and as a last resort
 * the previous run is deleted first.
 * @returns {Promise<number>} bytes; 0 where the browser has no place for it
 * @throws {DOMException} where there is no room
 */
export async function keep(/** @type {Note} */ note, /** @type {ArmState[]} */ states, isAlone = false) {
  const place = await folder();
  if (!place?.keys) return 0;
  try {
    await keepIn(place, note, states);
    return sizeOf(states);
  } catch (error) {
    if (/** @type {Error} */ (error).name !== "QuotaExceededError") throw error;
    const newest = newestOf(note.plan.settings.arms, states);
    const fewer = states.filter((state, i) => i >= states.length >> 1 || newest.includes(state));
    if (fewer.length < states.length) return keep(note, fewer, isAlone);
    if (isAlone) throw error;
    await forget();
    return keep(note, states, true);
  }
}

async function keepIn(/** @type {any} */ place, /** @type {Note} */ note, /** @type {ArmState[]} */ states) {
  const there = new Set(await names(place));
  const wanted = new Set([NOTE, ...states.map(({ file }) => file)]);
  try {
    for (const { file, blob } of states) if (!there.has(file)) await write(place, file, blob);
    const list = states.map(({ arm, step, file, blob }) => ({ arm, step, file, bytes: blob.size }));
    await write(place, NOTE, await noteText({ version: VERSION, ...note, states: list }));
  } catch (error) {
    // What broke off would be taken for whole the next time.
    for (const { file } of states) if (!there.has(file)) await place.removeEntry(file).catch(() => {});
    throw error;
  }
  for (const name of there) if (!wanted.has(name)) await place.removeEntry(name).catch(() => {});
}

/** The run that was kept; null where there is none, or it is damaged. @returns {Promise<Kept | null>} */
export async function kept() {
  const place = await folder();
  if (!place) return null;
  try {
    const file = async (/** @type {string} */ name) => (await place.getFileHandle(name)).getFile();
    const { version, states, ...note } = JSON.parse(await (await file(NOTE)).text());
    if (version !== VERSION || !Array.isArray(note.events)) return null;
    const opened = [];
    for (const { arm, step, file: name, bytes } of states) {
      const blob = await file(name);
      if (blob.size !== bytes) return null;
      opened.push({ arm, step, file: name, blob });
    }
    return { ...note, states: opened };
  } catch {
    return null;
  }
}

/** Bytes of the states of a run that was kept. */
export const bytesOf = (/** @type {Kept} */ { states }) => sizeOf(states);

export async function forget() {
  const top = await navigator.storage?.getDirectory?.().catch(() => null);
  await top?.removeEntry(FOLDER, { recursive: true }).catch(() => {}); // it was not there
}

/**
 * The run that trains, kept in this browser (its private files, OPFS) so that a reload does not lose it: what it was begun with,
 * its events so far and the state of its arms. Only the newest is there.
 *
 * @typedef {import("./run-state.js").Texts & {settings: import("./settings.js").Settings}} Plan
 * @typedef {import("../contract/types.js").RunEvent} RunEvent
 * @typedef {{plan: Plan, events: RunEvent[], model: string, bytes: number}} Note  `model`: what the engine calls it
 * @typedef {Note & {state: Blob}} Kept
 */
import { privateFolder } from "../ui/private-folder.js";

const FOLDER = "run";
/** Written last, and names the state that belongs to it. */
const NOTE = "note.json";
const VERSION = 1;

const folder = () => privateFolder(FOLDER);

async function write(/** @type {any} */ place, /** @type {string} */ name, /** @type {BlobPart} */ content) {
  const writer = await (await place.getFileHandle(name, { create: true })).createWritable();
  try {
    await writer.write(content);
  } catch (error) {
    await writer.abort().catch(() => {});
    throw error;
  }
  await writer.close();
}

const textOf = async (/** @type {any} */ place, /** @type {string} */ name) =>
  (await (await place.getFileHandle(name)).getFile()).text();

/** How often a state was kept: two names in turn, so that one that breaks off leaves the one before. */
let turn = 0;

/**
 * Keeps a run in the place of the one before.
 * @returns {Promise<boolean>} false where the browser has no place for it
 * @throws {DOMException} where there is no room
 */
export async function keep(/** @type {Note} */ note, /** @type {Uint8Array<ArrayBuffer>} */ state) {
  const place = await folder();
  if (!place) return false;
  turn += 1;
  const file = `state-${turn % 2}.safetensors`;
  await write(place, file, state);
  await write(place, NOTE, JSON.stringify({ version: VERSION, file, ...note }));
  return true;
}

/** The run that was kept; null where there is none, or it is damaged. @returns {Promise<Kept | null>} */
export async function kept() {
  const place = await folder();
  if (!place) return null;
  try {
    const { version, file, ...note } = JSON.parse(await textOf(place, NOTE));
    if (version !== VERSION || !Array.isArray(note.events)) return null;
    const state = await (await place.getFileHandle(file)).getFile();
    return state.size === note.bytes ? { ...note, state } : null;
  } catch {
    return null;
  }
}

export async function forget() {
  const top = await navigator.storage?.getDirectory?.().catch(() => null);
  await top?.removeEntry(FOLDER, { recursive: true }).catch(() => {}); // it was not there
}

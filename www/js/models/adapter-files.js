/** Which files make up an adapter, of those that a visitor chose or dropped: folders that PEFT saved, or zips of them. */
import { fixed } from "../ui/format.js";
import { t } from "../ui/text.js";
import { openZip } from "./zip.js";

const CONFIG = "adapter_config.json";
const TENSORS = "adapter_model.safetensors";
/** No adapter_config.json is longer, in bytes. */
const LONGEST_CONFIG = 1 << 20;
const LONGEST_NAME = 24;

/** @typedef {{name: string, files: string[], blobs: Blob[]}} ChosenAdapter */

/** A choice that is no adapter. The message says which file, why, and what to do. */
export class AdapterError extends Error {}

/** "My LoRA (2).zip" as an adapter's name: "my-lora-2". */
export function nameOf(/** @type {string} */ path, /** @type {string[]} */ taken) {
  const plain = path.toLowerCase().replace(/\.zip$/, "").replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
  // An arm that starts from it can be called so, and none is called as the base is.
  const wanted = plain === "" || plain === "base" ? "adapter" : plain.slice(0, LONGEST_NAME).replace(/-$/, "");
  let name = wanted;
  for (let n = 2; taken.includes(name); n += 1) name = `${wanted.slice(0, LONGEST_NAME - 1 - `${n}`.length)}-${n}`;
  return name;
}

const isZip = (/** @type {string} */ path) => /\.zip$/i.test(path);
const megabytes = (/** @type {number} */ bytes) => `${fixed(bytes / 1e6, 1)} MB`;

/**
 * The adapters among these files, unpacked.
 * @param {{path: string, blob: Blob}[]} files each with its path from where the choice was made
 * @param {number} most bytes that the file of an adapter of this model may have
 * @param {string[]} taken names that others have
 * @returns {Promise<ChosenAdapter[]>}
 * @throws {AdapterError | import("./zip.js").ZipError}
 */
export async function adaptersAmong(files, most, taken) {
  const all = (await Promise.all(files.map(expanded))).flat();
  const configs = all.filter(({ path }) => path.split("/").at(-1) === CONFIG);
  if (configs.length === 0) {
    const seen = all.slice(0, 5).map(({ path }) => path).join(", ");
    throw new AdapterError(t("adapter-files.none", { config: CONFIG, seen }));
  }
  const names = [...taken];
  const chosen = [];
  for (const config of configs) {
    const folder = config.path.slice(0, config.path.lastIndexOf("/") + 1);
    const tensors = all.find(({ path }) => path === folder + TENSORS);
    if (!tensors) throw new AdapterError(missing(folder, all));
    bound(config, LONGEST_CONFIG);
    bound(tensors, most);
    const name = nameOf(folder.split("/").filter((part) => part !== "").at(-1) ?? "", names);
    names.push(name);
    chosen.push({ name, files: [CONFIG, TENSORS], blobs: [await config.read(), await tensors.read()] });
  }
  return chosen;
}

/** A file, or those of an archive, in a folder of its name. @returns {Promise<import("./zip.js").Entry[]>} */
async function expanded(/** @type {{path: string, blob: Blob}} */ { path, blob }) {
  if (!isZip(path)) return [{ path, size: blob.size, read: async () => blob }];
  const entries = await openZip(path, blob);
  return entries.map((entry) => ({ ...entry, path: `${path}/${entry.path}` }));
}

function missing(/** @type {string} */ folder, /** @type {{path: string}[]} */ all) {
  const isPickled = all.some(({ path }) => path === `${folder}adapter_model.bin`);
  const names = { tensors: folder + TENSORS, config: CONFIG };
  return isPickled ? t("adapter-files.pickled", names) : t("adapter-files.missing", names);
}

function bound(/** @type {{path: string, size: number}} */ { path, size }, /** @type {number} */ most) {
  if (size <= most) return;
  throw new AdapterError(t("adapter-files.large", { path, size: megabytes(size), most: megabytes(most) }));
}

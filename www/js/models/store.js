/**
 * Models that were fetched, kept in this browser (its private file system, OPFS), so that they open again without a
 * network. A file that did not arrive whole goes on where it stopped. Where there is no such place, or no room in it,
 * files stay in memory for this visit.
 */
import { privateFolder } from "../ui/private-folder.js";
import { t } from "../ui/text.js";
import { DownloadError, check, parts, progressOf, request, sizeOf } from "./download.js";
import { INDEX, ModelError, SMALL, WEIGHTS, placeOf, shardsOf } from "./files.js";

const ROOT = "models";
/** Written last: a folder with it is whole. */
const NOTE = "driftscope.json";
const PART = ".part";

/** @typedef {{id: string, name: string, address: string, files: string[], bytes: number}} Kept */

/** Where kept models lie. */
const root = () => privateFolder(ROOT);

/** The models that were kept whole. @returns {Promise<Kept[]>} */
export async function keptModels() {
  const place = await root();
  if (!place) return [];
  const found = [];
  for await (const [id, folder] of place.entries()) {
    if (folder.kind !== "directory") continue;
    try {
      const note = JSON.parse(await (await (await folder.getFileHandle(NOTE)).getFile()).text());
      let bytes = 0;
      for (const file of note.files) bytes += (await (await folder.getFileHandle(file)).getFile()).size;
      found.push({ id, ...note, bytes });
    } catch {
      // It is not whole; fetching it again goes on with it.
    }
  }
  return found.sort((a, b) => a.name.localeCompare(b.name));
}

/** Opens a kept model. @returns {Promise<import("./files.js").Chosen>} */
export async function openKept(/** @type {Kept} */ { id, name, files }) {
  const folder = await (await root()).getDirectoryHandle(id);
  const open = async (/** @type {string} */ file) => (await folder.getFileHandle(file)).getFile();
  return { name, files, blobs: await Promise.all(files.map(open)) };
}

/** Removes one, whole or not. */
export async function removeKept(/** @type {string} */ id) {
  await (await root())?.removeEntry(id, { recursive: true });
}

/** A name without folders. */
const flat = (/** @type {string} */ path) => path.replaceAll("/", "-");

/** A folder's name for an address. */
async function idOf(/** @type {string} */ address) {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(address));
  return [...new Uint8Array(digest).slice(0, 16)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A file that grows as it arrives, in the store or in memory. */
class Growing {
  constructor(/** @type {any} */ folder, /** @type {string} */ name) {
    this.folder = folder;
    this.name = name;
    /** Bytes that are there. */
    this.size = 0;
    /** @type {BlobPart[]} */
    this.chunks = [];
  }

  /** @private */
  async handle() {
    return this.folder?.getFileHandle(this.name + PART, { create: true });
  }

  /** What has arrived on an earlier try. */
  async begin() {
    const handle = await this.handle();
    this.size = handle ? (await handle.getFile()).size : 0;
    return this.size;
  }

  /** Takes the parts from byte `from` on. @returns {Promise<boolean>} false where the store has no room for them */
  async take(/** @type {AsyncIterable<Uint8Array<ArrayBuffer>>} */ arriving, /** @type {number} */ from, /** @type {(done: number) => void} */ onBytes) {
    const handle = await this.handle();
    const writer = await handle?.createWritable({ keepExistingData: from > 0 });
    this.size = from;
    try {
      await writer?.seek(from);
      for await (const part of arriving) {
        if (writer) await writer.write(part);
        else this.chunks.push(part);
        this.size += part.length;
        onBytes(this.size);
      }
    } catch (error) {
      // What has arrived is kept for the next try.
      await writer?.close().catch(() => {});
      if (/** @type {Error} */ (error).name === "QuotaExceededError") return false;
      throw error;
    }
    await writer?.close();
    return true;
  }

  /** The whole file, under its own name. */
  async finish() {
    const handle = await this.handle();
    if (!handle) return new Blob(this.chunks);
    await handle.move?.(this.name);
    if (handle.move) return handle.getFile();
    // Without a way to rename it is copied.
    const whole = await this.folder.getFileHandle(this.name, { create: true });
    await (await handle.getFile()).stream().pipeTo(await whole.createWritable());
    await this.folder.removeEntry(this.name + PART);
    return whole.getFile();
  }
}

/** Fetches a model from an address; what was kept of it before is not fetched again. */
export class ModelDownload {
  /**
   * @param {string} address
   * @param {{onBytes: import("./download.js").OnBytes, say: (text: string) => void, signal: AbortSignal}} hooks
   * @throws {ModelError} for what is no address
   */
  constructor(address, hooks) {
    this.place = placeOf(address);
    this.hooks = hooks;
    /** @type {any} */
    this.folder = null;
  }

  /** @returns {Promise<import("./files.js").Chosen>} @throws {DownloadError | ModelError} */
  async run() {
    const { name, folder: address, gguf } = this.place;
    const store = await root();
    this.folder = await store?.getDirectoryHandle(await idOf(address + (gguf ?? "")), { create: true });
    const files = gguf ? [gguf] : await this.names();
    const report = progressOf(files.length, this.hooks.onBytes);
    const blobs = [];
    for (const file of files) blobs.push(await this.file(file, report(file)));
    const model = { name, files: files.map(flat) };
    if (this.folder) await this.note({ ...model, address: address + (gguf ?? "") });
    return { ...model, blobs };
  }

  /** Names of the files that are there. @private */
  async names() {
    const isThere = async (/** @type {string} */ file) => (await this.optional(file)) !== null;
    const { folder } = this.place;
    if (!(await isThere(SMALL[0]))) throw new ModelError(t("model-store.no-model", { folder }));
    const small = [];
    for (const file of SMALL) if (await isThere(file)) small.push(file);
    const index = await this.optional(INDEX);
    return [...small, ...(index ? [INDEX, ...shardsOf(await index.text())] : [WEIGHTS])];
  }

  /** A small file, or null where the server has none. @private */
  async optional(/** @type {string} */ file) {
    try {
      return await this.file(file, () => {});
    } catch (error) {
      if (error instanceof DownloadError && error.status === 404) return null;
      throw error;
    }
  }

  /** One file, whole. @private @returns {Promise<Blob>} */
  async file(/** @type {string} */ name, /** @type {import("./download.js").OnBytes} */ onBytes) {
    const kept = await this.kept(name);
    if (kept) {
      onBytes(kept.size, kept.size);
      return kept;
    }
    const growing = new Growing(this.folder, flat(name));
    let from = await growing.begin();
    const address = new URL(name, this.place.folder);
    const response = await request(address, from, this.hooks.signal);
    // A server without ranges begins again; one that has nothing more has sent all before.
    if (from > 0 && response.status === 416) return growing.finish();
    if (response.status === 200) from = 0;
    check(response, address);
    const rest = sizeOf(response);
    const total = rest > 0 ? from + rest : 0;
    const report = (/** @type {number} */ done) => onBytes(done, total);
    if (!(await growing.take(parts(response), from, report))) {
      this.hooks.say(t("model-store.no-room"));
      this.folder = null;
      return this.file(name, onBytes);
    }
    if (total > 0 && growing.size !== total) {
      const amounts = { size: String(growing.size), total: String(total) };
      throw new DownloadError(t("model-store.ended", { address: address.href, ...amounts }));
    }
    return growing.finish();
  }

  /** @private @returns {Promise<Blob | null>} */
  async kept(/** @type {string} */ name) {
    try {
      return await (await this.folder.getFileHandle(flat(name))).getFile();
    } catch {
      return null;
    }
  }

  /** Says that the model is whole. @private */
  async note(/** @type {{name: string, address: string, files: string[]}} */ note) {
    const writer = await (await this.folder.getFileHandle(NOTE, { create: true })).createWritable();
    await writer.write(JSON.stringify(note));
    await writer.close();
  }
}

/**
 * Models that were fetched, kept in this browser (its private file system, OPFS), so that they open again without a
 * network. A file that did not arrive whole goes on where it stopped. Where there is no such place, or no room in it,
 * files stay in memory for this visit, and the page says so.
 */
import { privateFolder } from "../ui/private-folder.js";
import { t } from "../ui/text.js";
import { DownloadError, check, parts, progressOf, request, sizeOf } from "./download.js";
import { INDEX, ModelError, SMALL, WEIGHTS, placeOf, shardsOf } from "./files.js";

const ROOT = "models";
/** Written first, and again with the names of the files once all are there. */
const NOTE = "driftscope.json";
const PART = ".part";
const FULL = "QuotaExceededError";

/**
 * @typedef {{name: string, address: string, files: string[] | null}} Note  `address`: as the visitor wrote it; `files`: null while
 *   some are missing
 * @typedef {Note & {id: string, bytes: number}} Kept
 */

/** The store can't hold a file. The name is that of the browser's reason. */
class StoreError extends Error {
  constructor(/** @type {string} */ reason) {
    super(reason);
    this.name = reason;
  }
}

/**
 * Has the store do something.
 * @template T
 * @param {() => Promise<T>} act
 * @throws {StoreError} whatever is wrong with it
 */
async function stored(act) {
  try {
    return await act();
  } catch (error) {
    throw new StoreError(/** @type {Error} */ (error).name);
  }
}

/** Where kept models lie. */
const root = () => privateFolder(ROOT);

/** The models that were kept, whole or in part. @returns {Promise<Kept[]>} */
export async function keptModels() {
  const place = await root();
  if (!place) return [];
  const found = [];
  for await (const [id, folder] of place.entries()) {
    try {
      const note = JSON.parse(await (await (await folder.getFileHandle(NOTE)).getFile()).text());
      let bytes = 0;
      for await (const [name, handle] of folder.entries()) bytes += name === NOTE ? 0 : (await handle.getFile()).size;
      if (bytes > 0) found.push({ id, ...note, bytes });
    } catch {
      // No model lies there.
    }
  }
  return found.sort((a, b) => a.name.localeCompare(b.name));
}

/** Opens a model that was kept whole. @returns {Promise<import("./files.js").Chosen>} */
export async function openKept(/** @type {Kept} */ { id, name, files }) {
  const folder = await (await root()).getDirectoryHandle(id);
  const open = async (/** @type {string} */ file) => (await folder.getFileHandle(file)).getFile();
  return { name, files: files ?? [], blobs: await Promise.all((files ?? []).map(open)) };
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

/** Whether the store has room for so many more bytes, as far as it knows. */
async function hasRoom(/** @type {number} */ bytes) {
  const { quota = Infinity, usage = 0 } = await navigator.storage.estimate();
  return usage + bytes <= quota;
}

/** A file that grows as it arrives, in the store or in memory. What the store can't do is a {@link StoreError}. */
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
    return this.folder && stored(() => this.folder.getFileHandle(this.name + PART, { create: true }));
  }

  /** What has arrived on an earlier try. */
  async begin() {
    const handle = await this.handle();
    this.size = handle ? (await stored(() => handle.getFile())).size : 0;
    return this.size;
  }

  /** Takes the parts from byte `from` on. */
  async take(/** @type {AsyncIterable<Uint8Array<ArrayBuffer>>} */ arriving, /** @type {number} */ from, /** @type {(done: number) => void} */ onBytes) {
    const handle = await this.handle();
    const writer = handle && (await stored(() => handle.createWritable({ keepExistingData: from > 0 })));
    this.size = from;
    try {
      if (writer) await stored(() => writer.seek(from));
      for await (const part of arriving) {
        if (writer) await stored(() => writer.write(part));
        else this.chunks.push(part);
        this.size += part.length;
        onBytes(this.size);
      }
    } catch (error) {
      // What has arrived is kept for the next try, unless the store has failed.
      await writer?.close().catch(() => {});
      throw error;
    }
    if (writer) await stored(() => writer.close());
  }

  /** The whole file, under its own name. */
  async finish() {
    const handle = await this.handle();
    if (!handle) return new Blob(this.chunks);
    return stored(async () => {
      await handle.move?.(this.name);
      if (handle.move) return handle.getFile();
      // Without a way to rename it is copied.
      const whole = await this.folder.getFileHandle(this.name, { create: true });
      await (await handle.getFile()).stream().pipeTo(await whole.createWritable());
      await this.folder.removeEntry(this.name + PART);
      return whole.getFile();
    });
  }
}

/** Fetches a model from an address; what was kept of it before is not fetched again. */
export class ModelDownload {
  /**
   * @param {string} address
   * @param {{onBytes: import("./download.js").OnBytes, notKept: (why: string) => void, signal: AbortSignal}} hooks
   * @throws {ModelError} for what is no address
   */
  constructor(address, hooks) {
    this.address = address;
    this.place = placeOf(address);
    this.hooks = hooks;
    /** Where the files are kept; null where they stay in memory. @type {any} */
    this.folder = null;
  }

  /** @returns {Promise<import("./files.js").Chosen>} @throws {DownloadError | ModelError} */
  async run() {
    const { name, folder, gguf } = this.place;
    await this.orInMemory(async () => {
      this.folder = await stored(async () => {
        const id = await idOf(folder + (gguf ?? "")); // which plain http does not have
        return (await root()).getDirectoryHandle(id, { create: true });
      });
      await this.note(null);
    });
    const files = gguf ? [gguf] : await this.names();
    const report = progressOf(files.length, this.hooks.onBytes);
    const blobs = [];
    for (const file of files) blobs.push(await this.file(file, report(file)));
    const names = files.map(flat);
    if (this.folder) await this.orInMemory(() => this.note(names));
    return { name, files: names, blobs };
  }

  /**
   * Does something with the store. If that fails, the visitor is told, files stay in memory from now on, and null is returned.
   * @template T
   * @param {() => Promise<T>} act
   * @private
   */
  async orInMemory(act) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      const { name } = this.place;
      this.folder = null;
      this.hooks.notKept(error.name === FULL ? t("model-store.no-room", { name }) : t("model-store.no-place", { name }));
      return null;
    }
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
    if (kept) onBytes(kept.size, kept.size);
    // What the store did not take comes again, into memory.
    return kept ?? (await this.orInMemory(() => this.arriving(name, onBytes))) ?? this.arriving(name, onBytes);
  }

  /** @private */
  async arriving(/** @type {string} */ name, /** @type {import("./download.js").OnBytes} */ onBytes) {
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
    if (this.folder && !(await stored(() => hasRoom(rest)))) {
      await response.body?.cancel();
      throw new StoreError(FULL);
    }
    await growing.take(parts(response), from, (done) => onBytes(done, total));
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

  /** Writes what the folder holds; before all files are there, only where nothing says so yet. @private */
  note(/** @type {string[] | null} */ files) {
    return stored(async () => {
      if (files === null && (await this.kept(NOTE))) return;
      const { address, place } = this;
      const writer = await (await this.folder.getFileHandle(NOTE, { create: true })).createWritable();
      await writer.write(JSON.stringify({ name: place.name, address, files }));
      await writer.close();
    });
  }
}

/** Fetching files, with progress in bytes. */
import { t } from "../ui/text.js";
import { fetchFar } from "./far.js";

/** @typedef {(done: number, total: number) => void} OnBytes  bytes so far, and in all; 0 while that is unknown */

/** A file could not be fetched. The message says which, why, and what to do. */
export class DownloadError extends Error {
  /** `status`: the server's, where it answered */
  constructor(/** @type {string} */ message, status = 0) {
    super(message);
    this.name = "download";
    this.status = status;
  }
}

/** @throws {DownloadError} unless the server gives the file */
export function check(/** @type {Response} */ { ok, status }, /** @type {string | URL} */ address) {
  const url = new URL(address, document.baseURI).href;
  if (!ok) throw new DownloadError(t("download.refused", { url, status: String(status) }), status);
}

/** Asks for a file, or for what follows its first `from` bytes. */
export async function request(/** @type {string | URL} */ address, from = 0, /** @type {AbortSignal | null} */ signal = null) {
  const where = new URL(address, document.baseURI);
  if (where.origin === location.origin) {
    return fetch(where, { signal, headers: from > 0 ? { Range: `bytes=${from}-` } : {} });
  }
  try {
    return await fetchFar(where, from, signal);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new DownloadError(t("download.no-answer", { host: where.host }));
  }
}

/** Bytes that a response will have in all; 0 where nobody knows, as where the host compresses. */
export function sizeOf(/** @type {Response} */ response) {
  return response.headers.get("Content-Encoding") ? 0 : Number(response.headers.get("Content-Length"));
}

/** The parts of a response's body, one after the other; whoever stops early ends the transfer. */
export async function* parts(/** @type {Response} */ response) {
  const reader = /** @type {ReadableStream<Uint8Array<ArrayBuffer>>} */ (response.body).getReader();
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) yield part.value;
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** Fetches one file as a Blob, which the browser keeps where it likes. */
export async function fetchBlob(/** @type {string} */ path, /** @type {OnBytes} */ onBytes) {
  const response = await request(path);
  check(response, path);
  const total = sizeOf(response);
  const chunks = [];
  let done = 0;
  for await (const part of parts(response)) {
    chunks.push(part);
    done += part.length;
    onBytes(done, total);
  }
  return new Blob(chunks);
}

/** Adds up the progress of several files; the total is 0 until it is known for all of them. */
export function progressOf(/** @type {number} */ files, /** @type {OnBytes} */ onProgress) {
  /** @type {Map<string, {done: number, total: number}>} */
  const seen = new Map();
  return (/** @type {string} */ name) => (/** @type {number} */ done, /** @type {number} */ total) => {
    seen.set(name, { done, total });
    const all = [...seen.values()];
    const sum = (/** @type {"done" | "total"} */ key) => all.reduce((bytes, file) => bytes + file[key], 0);
    const isKnown = all.length === files && all.every((file) => file.total > 0);
    onProgress(sum("done"), isKnown ? sum("total") : 0);
  };
}

/** Fetches several files at once, in the order of the paths. */
export function fetchAll(/** @type {string[]} */ paths, /** @type {OnBytes} */ onProgress) {
  const report = progressOf(paths.length, onProgress);
  return Promise.all(paths.map((path) => fetchBlob(path, report(path))));
}

/**
 * Zip files. The library that reads and writes them comes when the first one does. An archive is not believed: what it
 * claims is checked against bounds before anything is unpacked, and again while it is.
 */
import { t } from "../ui/text.js";

/** An archive that can't be used; the message says which, why, and what to do. */
export class ZipError extends Error {}

/** Most entries that are looked at. */
const MOST_ENTRIES = 10_000;

/** @typedef {{path: string, size: number, read: () => Promise<Blob>}} Entry  `size`: unpacked, as the archive claims */

async function library() {
  const { default: zip } = await import("../../vendor/zip/zip-core.esm.js");
  zip.configure({ useWebWorkers: false });
  return zip;
}

/**
 * The files in an archive, none of them unpacked yet.
 * @param {string} name of the archive, for messages
 * @param {Blob} blob
 * @returns {Promise<Entry[]>}
 * @throws {ZipError}
 */
export async function openZip(name, blob) {
  const { BlobReader, ZipReader } = await library();
  const reader = new ZipReader(new BlobReader(blob), { checkSignature: true, checkOverlappingEntry: true });
  const files = [];
  try {
    let seen = 0;
    for await (const entry of reader.getEntriesGenerator()) {
      seen += 1;
      if (seen > MOST_ENTRIES) throw new ZipError(t("zip.many", { name, most: String(MOST_ENTRIES) }));
      const { filename: path, uncompressedSize: size } = entry;
      if (!entry.directory) files.push({ path, size, read: () => unpack(name, entry) });
    }
  } catch (error) {
    throw explained(name, error);
  }
  return files;
}

/** @param {string} name @param {import("../../vendor/zip/zip-core.esm.js").Entry} entry */
async function unpack(name, entry) {
  const { filename, uncompressedSize: most } = entry;
  if (entry.encrypted) throw new ZipError(t("zip.encrypted", { name, filename }));
  /** @type {Uint8Array<ArrayBuffer>[]} */
  const parts = [];
  let size = 0;
  const sink = new WritableStream({
    write(/** @type {Uint8Array<ArrayBuffer>} */ part) {
      size += part.length;
      if (size > most) throw new ZipError(t("zip.larger", { name, filename }));
      parts.push(part);
    },
  });
  try {
    await entry.getData?.(sink);
  } catch (error) {
    throw explained(`${name}: ${filename}`, error);
  }
  return new Blob(parts);
}

function explained(/** @type {string} */ what, /** @type {unknown} */ error) {
  if (error instanceof ZipError) return error;
  const { message, filename } = /** @type {Error & {filename?: string}} */ (error);
  if (filename !== undefined && /unsafe/i.test(message)) {
    return new ZipError(t("zip.points-out", { what, filename }));
  }
  return new ZipError(t("zip.damaged", { what, reason: message }));
}

/**
 * An archive of these files: they pass through in parts, and none is held as a whole.
 * @param {{name: string, blob: Blob}[]} files
 * @param {number} level of compression; weights are stored as they are, since they hardly get smaller
 */
export async function writeZip(files, level = 0) {
  const { BlobReader, BlobWriter, ZipWriter } = await library();
  const writer = new ZipWriter(new BlobWriter("application/zip"), { level, extendedTimestamp: false });
  for (const { name, blob } of files) await writer.add(name, new BlobReader(blob));
  return writer.close();
}

// Lists the files of a built page by their hashes (build.json), and writes the service worker that goes by that list.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const fromRoot = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** The service worker before a build's version and list are written into it. */
export const SERVICE_WORKER = fromRoot("www/service-worker.js");
const DEVELOPMENT_WORKER = fromRoot("scripts/service-worker-dev.js");

/** Paths of all files under `folder`, sorted, relative to it, with forward slashes. */
export function filesUnder(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath ?? entry.path, entry.name)).split(sep).join("/"))
    .sort();
}

/** As in an integrity attribute: https://www.w3.org/TR/sri-2 */
const integrityOf = (content) => `sha256-${createHash("sha256").update(content).digest("base64")}`;

/**
 * Writes build.json and service-worker.js into `folder`, whose other files are as they will be served.
 * @param {{version: string, wasm: {bytes: number, gzip: number, brotli: number} | null}} about  what build.json says beside the files
 */
export function listBuild(folder, { version, wasm }) {
  const files = filesUnder(folder).filter((file) => !["build.json", "service-worker.js"].includes(file) && !file.startsWith("."));
  const hashes = Object.fromEntries(files.map((file) => [file, integrityOf(readFileSync(join(folder, file)))]));
  const list = JSON.stringify({ version, files: hashes, wasm }, null, 1) + "\n";
  writeFileSync(join(folder, "build.json"), list);
  const worker = readFileSync(isForDevelopment(version) ? DEVELOPMENT_WORKER : SERVICE_WORKER, "utf8");
  const written = worker.replace("__BUILD_VERSION__", version).replace("__LIST_INTEGRITY__", integrityOf(list));
  writeFileSync(join(folder, "service-worker.js"), written);
}

/** Such a build is never kept: each shows at once. */
const isForDevelopment = (version) => version.startsWith("dev-");

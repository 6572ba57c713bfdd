// Completes the page that Trunk has built: copies the page's own files, the models, the data and the recorded
// runs into it, gives it a version and lists its files. Trunk calls this after each build (Trunk.toml).
//
// The version is a hash of all files. It replaces the word __BUILD_VERSION__ in the page's HTML and JavaScript, so that
// caches and the service worker notice a new build; build.json holds it with the hash of each file as it is served:
//   { "version": "0123456789ab", "files": { "index.html": "sha256-…", ... }, "wasm": { "bytes", "gzip", "brotli" } }
// Outside a release the version begins with dev-, and such a build is not kept for use without a network. The bench page
// says what the WebAssembly weighs; null but in a release, for compressing it takes 15 seconds.
import { createHash } from "node:crypto";
import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { SERVICE_WORKER, filesUnder, listBuild } from "./list-build.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = process.env.TRUNK_STAGING_DIR;
if (!dist) throw new Error("assemble-dist runs as Trunk's post_build hook; use scripts/serve");

// From the repository to the page; `keep` picks files by name.
const copies = [
  // Trunk writes index.html, with its parts, and listBuild the service worker; types are for who works on the page.
  { from: "www", to: ".", keep: (path) => !/^www.(index\.html|service-worker\.js|parts.*)$|\.d\.ts$/.test(path) },
  { from: "models/atlas", to: "models/atlas", keep: () => true },
  { from: "data", to: "data", keep: (path) => /\.jsonl?$/.test(path) },
  { from: "examples", to: "examples", keep: (path) => /\.jsonl?$/.test(path) },
];

for (const { from, to, keep } of copies) {
  if (!existsSync(join(root, from))) continue;
  for (const file of filesUnder(join(root, from))) {
    if (keep(join(from, file))) cpSync(join(root, from, file), join(dist, to, file));
  }
}

// Comments are for who works on the page, and a fifth of its scripts. Only those that have whole lines to themselves go, so
// that nothing has to be parsed; what others wrote keeps theirs, with their licences.
const isOwn = (file) => /\.(js|css)$/.test(file) && !/^(vendor|snippets)\//.test(file);
for (const file of filesUnder(join(root, "www")).filter(isOwn)) {
  const path = join(dist, file);
  if (!existsSync(path)) continue;
  const text = readFileSync(path, "utf8");
  writeFileSync(path, text.replace(/^[ \t]*\/\*(?:(?!\*\/)[\s\S])*\*\/[ \t]*\n/gm, "").replace(/^[ \t]*\/\/.*\n/gm, ""));
}

// What the page imports, and all that those import, is asked for at once: without a bundler each level of imports would
// wait for the one before.
const page = join(dist, "index.html");
const links = modulesOf("js/main.js").map((file) => `<link rel="modulepreload" href="${file}">`);
writeFileSync(page, readFileSync(page, "utf8").replace("<!-- MODULES -->", links.join("\n")));

/** The modules that `file` needs, without itself, by their paths in the page. */
function modulesOf(file, known = new Set()) {
  const text = readFileSync(join(dist, file), "utf8");
  for (const [, path] of text.matchAll(/^import (?:[^"]*? from )?"(\.[^"]+)";$/gm)) {
    const module = posix.join(posix.dirname(file), path);
    if (known.has(module)) continue;
    known.add(module);
    modulesOf(module, known);
  }
  return [...known].sort();
}

const isRelease = process.env.TRUNK_PROFILE === "release";
const files = filesUnder(dist);
const hash = createHash("sha256").update(readFileSync(SERVICE_WORKER));
for (const file of files) hash.update(file).update("\0").update(readFileSync(join(dist, file)));
const version = (isRelease ? "" : "dev-") + hash.digest("hex").slice(0, 12);

for (const file of files.filter((file) => /\.(html|m?js|webmanifest)$/.test(file))) {
  const text = readFileSync(join(dist, file), "utf8");
  if (text.includes("__BUILD_VERSION__")) {
    writeFileSync(join(dist, file), text.replaceAll("__BUILD_VERSION__", version));
  }
}
listBuild(dist, { version, wasm: wasmSize() });

function wasmSize() {
  if (!isRelease) return null;
  const wasm = readFileSync(join(dist, "worker_bg.wasm"));
  return { bytes: wasm.length, gzip: gzipSync(wasm).length, brotli: brotliCompressSync(wasm).length };
}

// Puts dist/ into a zip file with one folder, to unpack on a server.
//
//   node scripts/zip-dist.mjs driftscope.zip
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { writeZip } from "../www/js/models/zip.js";

const [, , target] = process.argv;
const entries = readdirSync("dist", { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile() && !entry.name.startsWith("."));
const paths = entries.map((entry) => join(entry.parentPath ?? entry.path, entry.name)).sort();
const files = paths.map((path) => ({
  name: `driftscope/${relative("dist", path).split(sep).join("/")}`,
  blob: new Blob([readFileSync(path)]),
}));
const zip = await writeZip(files, 9);
writeFileSync(target, Buffer.from(await zip.arrayBuffer()));
console.log(`${target}: ${files.length} files, ${(zip.size / 1e6).toFixed(1)} MB`);

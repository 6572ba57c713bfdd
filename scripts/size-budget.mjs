// The weighing behind scripts/size-budget.
import { readFileSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";

const BUDGET_BYTES = 2_560_000;
const FIRST_BYTES = 400_000;
const DETAIL_BYTES = 20_000; // smaller files are summed in one line

const kB = (bytes) => (bytes / 1000).toFixed(1).padStart(10);
const row = (size, name) => console.log(`${kB(size.raw)}${kB(size.gzip)}${kB(size.brotli)}  ${name}`);
const zero = () => ({ raw: 0, gzip: 0, brotli: 0 });
const add = (sum, size) => { for (const key in sum) sum[key] += size[key]; };

const sizeOf = (path) => {
  const bytes = readFileSync(path);
  return { raw: bytes.length, gzip: gzipSync(bytes).length, brotli: brotliCompressSync(bytes).length };
};
const total = zero(), small = zero();
let smallFiles = 0;
console.log("   raw kB   gzip kB brotli kB".padStart(30));
for (const entry of readdirSync("dist", { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath ?? entry.path, entry.name);
  const name = relative("dist", path);
  if (!entry.isFile() || name.startsWith("models")) continue;
  const size = sizeOf(path);
  add(total, size);
  if (size.raw >= DETAIL_BYTES) row(size, name);
  else { add(small, size); smallFiles++; }
}
row(small, `${smallFiles} smaller files`);
row(total, `all but the models; budget ${kB(BUDGET_BYTES).trim()} kB brotli`);
const first = firstPaint();
row(first, `what the stage needs first; budget ${kB(FIRST_BYTES).trim()} kB brotli`);
if (total.brotli > BUDGET_BYTES || first.brotli > FIRST_BYTES) {
  console.error("size budget exceeded");
  process.exit(1);
}

/** The page, what it links to, its texts and its lesson: all before the engine. */
function firstPaint() {
  const page = readFileSync("dist/index.html", "utf8");
  const linked = [...page.matchAll(/<(?:link|script)[^>]* (?:href|src)="([^"?]+)[^"]*"/g)].map((match) => match[1]);
  const local = linked.filter((path) => /\.(css|js|json)$/.test(path) && !path.startsWith("worker"));
  const sum = zero();
  for (const path of new Set(["index.html", ...local, "lang/en.json", "lessons/forgetting.json"])) add(sum, sizeOf(join("dist", path)));
  return sum;
}

// What may import what: the table in ARCHITECTURE.md, held against every module of the page.
import assert from "node:assert/strict";
import { test } from "node:test";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../www/js/", import.meta.url));
const files = readdirSync(root, { recursive: true }).map(String).filter((file) => file.endsWith(".js"));
const source = new Map(files.map((file) => [file, readFileSync(join(root, file), "utf8")]));
const roomOf = (file) => (dirname(file) === "." ? "main" : dirname(file).split("/")[0]);

/** Rows "| `views` | `contract`, `state` |" of the table under its heading. */
function table() {
  const text = readFileSync(new URL("../../ARCHITECTURE.md", import.meta.url), "utf8");
  const part = text.split("### What may import what: `www/js`")[1]?.split("\n#")[0] ?? "";
  const rows = [...part.matchAll(/^\| `(\w+)` \| (.*) \|$/gm)];
  return new Map(rows.map(([, room, cell]) => [room, [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name)]));
}

const imports = (file) =>
  [...source.get(file).matchAll(/^(?:import|\} from) .*?"(\.[^"]+\.js)";$/gm)]
    .map(([, path]) => path)
    .map((path) => relative(root, resolve(root, dirname(file), path)));

test("modules import what their room may", () => {
  const allowed = table();
  for (const file of files) {
    const room = roomOf(file);
    assert.ok(allowed.has(room), `${room} is not in the table`);
    for (const other of imports(file)) {
      if (other.startsWith("../vendor")) continue;
      assert.ok(existsSync(join(root, other)), `${file} imports ${other}, which is not there`);
      const may = roomOf(other) === room || allowed.get(room).includes(roomOf(other));
      assert.ok(may, `${file} may not import ${other}`);
    }
  }
});

test("no module imports itself, however long the way", () => {
  const done = new Set();
  const visit = (file, path) => {
    assert.ok(!path.includes(file), [...path, file].join(" > "));
    if (done.has(file) || !source.has(file)) return;
    imports(file).forEach((other) => visit(other, [...path, file]));
    done.add(file);
  };
  files.forEach((file) => visit(file, []));
});

test("every export is used by another module or a test", () => {
  const texts = new Map(source);
  for (const folder of [".", "../browser"].map((path) => fileURLToPath(new URL(path, import.meta.url)))) {
    const tests = readdirSync(folder).filter((file) => file.endsWith(".js"));
    for (const file of tests) texts.set(`test ${file}`, readFileSync(join(folder, file), "utf8"));
  }
  for (const file of files.filter((name) => roomOf(name) !== "contract")) {
    for (const [, name] of source.get(file).matchAll(/^export (?:async )?(?:function|class|const|let) (\w+)/gm)) {
      const isUsed = [...texts].some(([other, text]) => other !== file && new RegExp(`\\b${name}\\b`).test(text));
      assert.ok(isUsed, `${file} exports ${name}, which nothing uses`);
    }
  }
});

test("main.js only composes, and no module is long", () => {
  const lines = (file) => source.get(file).trimEnd().split("\n").length;
  assert.ok(lines("main.js") <= 130);
  for (const file of files.filter((name) => roomOf(name) !== "contract")) assert.ok(lines(file) <= 400, file);
});

// Suites, parity, benches, bench.html and a live run of the page on this machine's GPU: a table and a JSON report.
//
//   node benches/gpu/run.mjs --out DIR [--only suites,parity,bench,bench-page,page] [--software]
//
// scripts/gpu-check builds what this needs and says what the options do. Each stage leaves its part in the reports, so that
// what ends early has not run in vain.
import { readFile, writeFile } from "node:fs/promises";
import { cpus, release } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { benchPage, livePage } from "./browser.mjs";
import { HARDWARE, SOFTWARE } from "./cases.mjs";
import { rowsOf } from "./figures.mjs";
import { adapter, attempt, bench, execute, parity, suites } from "./native.mjs";
import { markdown, plainTable } from "./table.mjs";

const cwd = fileURLToPath(new URL("../..", import.meta.url));
const PROGRAM = join(cwd, "target/release/driftscope");
const DIST = join(cwd, "dist");

const { values: options } = parseArgs({
  options: { out: { type: "string" }, only: { type: "string" }, software: { type: "boolean", default: false } },
});
const { out, software } = options;
const say = (text) => process.stderr.write(`gpu-check: ${text}\n`);
const place = { cwd, out, software, say, program: PROGRAM, dist: DIST };

/** What a command says, or what to write where it can't. */
async function said(otherwise, program, ...args) {
  const { exit, stdout } = await attempt(() => execute(program, args, { cwd, limit: 60 }));
  return exit === 0 ? stdout.trim() : otherwise;
}

async function systemName() {
  const text = await readFile("/etc/os-release", "utf8").catch(() => "");
  return `${text.match(/^PRETTY_NAME="?([^"\n]*)/m)?.[1] ?? "Linux"}, kernel ${release()}`;
}

async function machine() {
  const found = await attempt(() => adapter(place));
  const cores = cpus();
  return {
    gpu: found.name ?? "no adapter",
    driver: found.driver ?? "unknown",
    software: found.software ?? false,
    os: await systemName(),
    cpu: `${cores.length} x ${cores[0]?.model.trim() ?? "unknown"}`,
    chromium: await said("no Chromium", process.env.CHROMIUM, "--version"),
    ...(found.error ? { error: found.error } : {}),
  };
}

async function commit() {
  const sha = await said("unknown", "git", "describe", "--always");
  return { sha, dirty: (await said("", "git", "status", "--porcelain")) !== "" };
}

const cases = software ? SOFTWARE : HARDWARE;
const STAGES = {
  suites: () => suites(place),
  parity: () => parity(place),
  bench: () => bench(place, cases.bench),
  "bench-page": () => benchPage(place, cases.bench_page),
  page: () => livePage(place, cases.steps),
};
/** Stages that take hours on a program on the CPU. */
const NATIVE = ["parity", "bench"];

const report = {
  format: 1,
  date: new Date().toISOString().slice(0, 10),
  commit: await commit(),
  software,
  machine: await machine(),
  ...Object.fromEntries(Object.keys(STAGES).map((name) => [name.replace("-", "_"), null])),
};

async function write() {
  const rows = rowsOf(report);
  await writeFile(join(out, "report.json"), `${JSON.stringify(report, null, 2)}\n`);
  await writeFile(join(out, "report.md"), markdown(report, rows));
  return rows;
}

const refusal = !software && report.machine.software ? `${report.machine.gpu} is no hardware: see --software` : null;
for (const name of options.only.split(",")) {
  const stage = refusal && NATIVE.includes(name) ? () => { throw new Error(refusal); } : STAGES[name];
  report[name.replace("-", "_")] = await attempt(stage);
  await write();
}

const rows = await write();
console.log(`${plainTable(report, rows)}\n\n${join(out, "report.json")} and report.md hold this.`);
const missed = rows.filter(({ ok, isAim }) => ok === false && isAim).length;
const wrong = rows.filter(({ ok, isAim }) => ok === false && !isAim);
if (missed > 0) console.log(`Aims missed: ${missed}.`);
console.log(wrong.length > 0 ? `Not right: ${wrong.map(({ what }) => what).join("; ")}.` : "All that ran is right.");
process.exitCode = wrong.length > 0 ? 1 : 0;

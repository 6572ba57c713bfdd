// What scripts/gpu-check makes of what it has measured: suites, parity, shares, rows, its table and its Markdown.
import assert from "node:assert/strict";
import { test } from "node:test";
import { readFileSync } from "node:fs";
import { AIMS, HARDWARE, PARITY } from "../../benches/gpu/cases.mjs";
import {
  aimText,
  attentionShare,
  isSoftware,
  kernelTimes,
  largestDifference,
  readSuite,
  rowsOf,
} from "../../benches/gpu/figures.mjs";
import { markdown, plainTable } from "../../benches/gpu/table.mjs";

const PROFILE = [
  { kernel: "matmul_tiled", ms: 5 },
  { kernel: "attention_backward_kv", ms: 3 },
  { kernel: "matmul_tiled", ms: 1 },
  { kernel: "attention_forward", ms: 1 },
];
const MACHINE = {
  gpu: "NVIDIA H100 80GB HBM3", driver: "NVIDIA 580", software: false, os: "Linux", cpu: "16 x any", chromium: "Chromium 156",
};
const ADAPTER = { vendor: "nvidia", architecture: "hopper", description: "", software: false };
const LIVE = {
  adapter: ADAPTER, engine: "webgpu", state: "done", steps: 200, errors: [], ready_s: 2, first_step_s: 1, run_s: 20,
};

const report = (parts = {}) => ({
  format: 1, date: "2026-11-28", commit: { sha: "1a2b3c4", dirty: false }, software: false, machine: MACHINE,
  suites: null, parity: null, bench: null, bench_page: null, page: null, ...parts,
});

const benchReport = (name, ms = 100) => ({
  name, adapter: { name: "any", software: false },
  forward: { ms: 1.8 }, lora_step: { ms, share_of_best: 0.45 }, full_step: { ms: 293 },
  generation: { ms: 2707, new_tokens: Number(name.match(/x (\d+)/)[1]) / 2 },
  best_gflop_per_s: 24157.4, attention_share: attentionShare(PROFILE), kernels: kernelTimes(PROFILE),
  to_first_step_ms: 3200,
});

const row = (found, what) => found.find((entry) => entry.what === what);
const suite = (parts) => readSuite("gpu", { exit: 0, seconds: 6, stdout: "", stderr: "", ...parts });

test("a suite's tests are counted and its failures named", () => {
  const stdout = `test rope::forward ... ok
test rope::refuses - should panic ... ok
test rmsnorm::backward ... FAILED
test left::out ... ignored
test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.2s`;
  const { passed, failed, failures, signal } = suite({ stdout, exit: 101 });
  assert.deepEqual({ passed, failed, failures, signal }, { passed: 2, failed: 1, failures: ["rmsnorm::backward"], signal: null });
  const found = rowsOf(report({ suites: [suite({ stdout, exit: 101 })] }));
  assert.equal(row(found, "suite gpu").figure, "2 passed, 1 failed, exit 101, 6.00 s");
  assert.equal(row(found, "suite gpu: rmsnorm::backward").ok, false);
});

test("a crash after the last test is no success", () => {
  const stdout = "test a ... ok\ntest result: ok. 1 passed; 0 failed; finished in 0.1s";
  const stderr = "process didn't exit successfully: `target/engine-1` (signal: 11, SIGSEGV: invalid memory reference)";
  const crashed = suite({ stdout, stderr, exit: 101 });
  assert.equal(crashed.signal, "SIGSEGV");
  const verdict = (found) => rowsOf(report({ suites: [found] }))[1];
  assert.equal(verdict(crashed).ok, false);
  assert.match(verdict(crashed).figure, /exit 101 \(SIGSEGV\)/);
  assert.match(verdict(suite({ stdout, exit: "SIGKILL" })).figure, /exit SIGKILL, 6/);
  assert.equal(verdict(suite({ stdout })).ok, true);
  assert.equal(verdict(suite({})).ok, false, "no test ran");
});

test("parity is the largest relative difference over the steps", () => {
  const cpu = [{ loss: 2, grad_norm: 1 }, { loss: 4, grad_norm: 1 }];
  const gpu = [{ loss: 2.001, grad_norm: 1 }, { loss: 3.996, grad_norm: 1 }];
  assert.ok(Math.abs(largestDifference("loss", gpu, cpu) - 0.001) < 1e-12);
  assert.equal(largestDifference("grad_norm", gpu, cpu), 0);
  assert.ok(Number.isNaN(largestDifference("loss", gpu, cpu.slice(1))), "another number of steps");
  assert.ok(Number.isNaN(largestDifference("loss", [], [])));
  // JSON has null where a number is none.
  assert.ok(Number.isNaN(largestDifference("loss", [{ loss: null }], [{ loss: null }])));
});

test("parity is judged by the loss and the program's end", () => {
  const full = { name: "full", exit: 0, steps: 20, loss: 0, grad_norm: 1 };
  const judged = (parts) => rowsOf(report({ parity: [{ ...full, ...parts }] }))[1].ok;
  assert.equal(judged({ loss: PARITY }), true);
  assert.equal(judged({ loss: 2 * PARITY }), false);
  assert.equal(judged({ loss: NaN }), false);
  assert.equal(judged({ exit: "SIGSEGV" }), false);
});

test("a profile's kernels are summed, attention's among them", () => {
  assert.deepEqual(Object.entries(kernelTimes(PROFILE)), [
    ["matmul_tiled", 6],
    ["attention_backward_kv", 3],
    ["attention_forward", 1],
  ]);
  assert.equal(attentionShare(PROFILE), 0.4);
});

test("every aim has its row, and is for its card alone", () => {
  const bench = HARDWARE.bench.map(({ name }) => benchReport(name));
  const found = rowsOf(report({ bench }));
  for (const aim of AIMS) assert.equal(row(found, aim.what)?.aim, aimText(aim), aim.what);
  assert.equal(row(found, "SmolLM2 8 x 256: LoRA step").ok, true);
  assert.equal(row(found, "SmolLM2 8 x 256: LoRA step, share of best product").ok, true);
  assert.equal(row(found, "SmolLM2 8 x 256: attention's share of LoRA step").ok, false);
  assert.equal(row(found, "SmolLM2 1 x 64: LoRA step").ok, null);
  const elsewhere = rowsOf(report({ bench, machine: { ...MACHINE, gpu: "another" } }));
  assert.ok(elsewhere.every(({ aim }) => aim === ""));
});

test("docs/gpu.md has the aims", () => {
  const text = readFileSync(new URL("../../docs/gpu.md", import.meta.url), "utf8");
  for (const aim of AIMS) assert.ok(text.includes(`| ${aim.what} | ${aimText(aim)} |`), aim.what);
});

test("a program on the CPU is told from a GPU, and is wrong where it wasn't asked for", () => {
  assert.equal(isSoftware({ vendor: "google", architecture: "swiftshader" }), true);
  assert.equal(isSoftware({ vendor: "mesa", description: "llvmpipe (LLVM 15)" }), true);
  assert.equal(isSoftware({ vendor: "any", fallback: true }), true);
  assert.equal(isSoftware({ vendor: "nvidia", architecture: "hopper" }), false);
  const swiftshader = { vendor: "google", architecture: "swiftshader", software: true };
  const judged = (adapter, software) => rowsOf(report({ software, bench_page: { adapter, cases: [], errors: [] } }))[1];
  assert.deepEqual(judged(swiftshader, false), {
    what: "bench.html: adapter", figure: "google swiftshader, software", aim: "", ok: false, isAim: false,
  });
  assert.equal(judged(swiftshader, true).ok, true);
  assert.equal(judged(null, true).ok, false);
  assert.equal(judged(ADAPTER, false).ok, true);
  const bench = [{ ...benchReport("Atlas 8 x 64"), adapter: { name: "llvmpipe", software: true } }];
  const found = (parts) => row(rowsOf(report({ bench, ...parts })), "Atlas 8 x 64: adapter");
  assert.equal(found({}).ok, false);
  assert.equal(found({ software: true }), undefined);
});

test("a live run is right when it is done on WebGPU without an error", () => {
  const judged = (parts) => rowsOf(report({ page: { ...LIVE, ...parts } })).every(({ ok }) => ok !== false);
  assert.equal(judged({}), true);
  assert.equal(judged({ engine: "cpu" }), false);
  assert.equal(judged({ state: "preparing", first_step_s: null, run_s: null }), false);
  assert.equal(judged({ errors: ["the page crashed"] }), false);
});

test("a stage that failed has a row that says why, one that was left out has none", () => {
  const found = rowsOf(report({ page: { error: "no browser\nat all" } }));
  assert.deepEqual(found.map(({ what, figure, ok }) => [what, figure, ok]), [
    ["Vulkan adapter", "NVIDIA H100 80GB HBM3", true],
    ["page", "failed: no browser at all", false],
  ]);
  const [missing] = rowsOf(report({ machine: { ...MACHINE, error: "no adapter" } }));
  assert.equal(missing.ok, false);
});

test("the table is aligned", () => {
  const found = report({ bench: [benchReport("Atlas 8 x 64", 2.5), { name: "another", error: "exit SIGSEGV: " }] });
  const lines = plainTable(found, rowsOf(found)).split("\n");
  const at = lines[0].indexOf("Aim on an H100");
  const line = (what) => lines.find((text) => text.startsWith(what));
  assert.equal(line("Atlas 8 x 64: LoRA step ").indexOf("at most 3 ms"), at);
  assert.match(line("Atlas 8 x 64: LoRA step "), / 2\.50 ms +at most 3 ms +ok$/);
  assert.match(line("Atlas 8 x 64: best product"), / 24,157 GFLOP\/s$/);
  assert.match(line("another"), / failed: exit SIGSEGV: +not$/);
});

test("the section for docs/gpu.md", () => {
  const found = report({
    commit: { sha: "1a2b3c4", dirty: true },
    bench_page: { adapter: { ...ADAPTER, description: "a|b" }, cases: [], errors: [] },
  });
  assert.equal(markdown(found, rowsOf(found)), `## NVIDIA H100 80GB HBM3, 2026-11-28, commit 1a2b3c4, with changes

Driver NVIDIA 580; Chromium 156; Linux; 16 x any.

| What | Figure | Aim on an H100 |  |
|---|---|---|---|
| Vulkan adapter | NVIDIA H100 80GB HBM3 |  | ok |
| bench.html: adapter | nvidia hopper a\\|b |  | ok |
| bench.html: errors | none |  | ok |
`);
});

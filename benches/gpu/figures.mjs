// From what the stages of scripts/gpu-check have found to rows: what was measured, the figure, its aim, whether it is met.
import { AIMED_CARD, AIMS, PARITY } from "./cases.mjs";

/**
 * @typedef {{what: string, figure: string, aim: string, ok: boolean | null, isAim: boolean}} Row
 *   `ok`: null where there is nothing to judge; `isAim`: only an aim is missed, nothing is wrong
 */

/** So many kernels of a profile have a row; the report has all. */
const LONGEST = 5;
const MEETS = {
  "at most": (value, aim) => value <= aim,
  "at least": (value, aim) => value >= aim,
  under: (value, aim) => value < aim,
};

export const aimText = ({ is, value, unit }) => `${is} ${value} ${unit}`;

/** A number with at least three figures, as in 2.71, 68.3 and 24,157. */
function number(value) {
  const digits = value < 10 ? 2 : value < 100 ? 1 : 0;
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** A suite's outcome, from what one `cargo test` has printed. */
export function readSuite(name, { exit, seconds, stdout, stderr }) {
  const tests = [...stdout.matchAll(/^test (\S+)(?: - should panic)? \.\.\. (ok|FAILED)/gm)];
  const failures = tests.filter(([, , result]) => result === "FAILED").map(([, test]) => test);
  // cargo itself ends with 101 where the system has killed the tests, be it after the last of them.
  const killed = stderr.match(/\(signal: \d+, (SIG\w+)/)?.[1];
  const signal = killed ?? (`${exit}`.startsWith("SIG") ? exit : null);
  return { name, passed: tests.length - failures.length, failed: failures.length, failures, exit, signal, seconds };
}

/** The largest difference of a column of two logs, relative to the second; NaN if they can't be compared. */
export function largestDifference(key, steps, reference) {
  if (steps.length === 0 || steps.length !== reference.length) return NaN;
  return Math.max(...steps.map((step, i) => Math.abs(step[key] - reference[i][key]) / Math.abs(reference[i][key])));
}

/** Milliseconds of a step by kernel, longest first; a profile has an entry for each kernel and shape. */
export function kernelTimes(profile) {
  const sums = new Map();
  for (const { kernel, ms } of profile) sums.set(kernel, (sums.get(kernel) ?? 0) + ms);
  return Object.fromEntries([...sums].sort(([, a], [, b]) => b - a));
}

/** What share of a profiled step attention takes. */
export function attentionShare(profile) {
  const sum = (list) => list.reduce((total, { ms }) => total + ms, 0);
  return sum(profile.filter(({ kernel }) => kernel.startsWith("attention"))) / sum(profile);
}

/** Whether an adapter, as a page describes it, is a program on the CPU. */
export function isSoftware({ vendor = "", architecture = "", description = "", fallback = false }) {
  return fallback || /swiftshader|llvmpipe|lavapipe/i.test(`${vendor} ${architecture} ${description}`);
}

const right = (what, figure, ok) => ({ what, figure, aim: "", ok, isAim: false });
/** The start of a longer text, in one line. */
const inLine = (text) => text.replaceAll(/\s+/g, " ").slice(0, 160);
const failure = (what, text) => right(what, `failed: ${inLine(text)}`, false);

/** A measured value; its aim counts on the card that it is for. */
function measured(what, value, unit, gpu) {
  const aim = gpu.includes(AIMED_CARD) ? AIMS.find((entry) => entry.what === what) : undefined;
  const row = { what, figure: `${number(value)} ${unit}`, aim: "", ok: null, isAim: true };
  return aim ? { ...row, aim: aimText(aim), ok: MEETS[aim.is](value, aim.value) } : row;
}

function machineRows({ machine, software }) {
  if (machine.error) return [failure("Vulkan adapter", machine.error)];
  const name = `${machine.gpu}${machine.software ? ", software" : ""}`;
  return [right("Vulkan adapter", name, software || !machine.software)];
}

/** How a program ended, unless well: a segmentation fault after the last result is one all the same. */
const ended = (exit, signal = null) => (exit === 0 ? "" : `, exit ${exit}${signal && signal !== exit ? ` (${signal})` : ""}`);

function suiteRows({ name, passed, failed, failures, exit, signal, seconds }) {
  const figure = `${passed} passed, ${failed} failed${ended(exit, signal)}, ${number(seconds)} s`;
  const whole = right(`suite ${name}`, figure, exit === 0 && failed === 0 && passed > 0);
  return [whole, ...failures.map((test) => right(`suite ${name}: ${test}`, "failed", false))];
}

function parityRow({ name, exit, steps, loss, grad_norm, error }) {
  const what = `parity, ${name}`;
  if (error) return failure(what, error);
  const figure = `loss ${loss.toExponential(1)}, gradient norm ${grad_norm.toExponential(1)} over ${steps} steps`;
  return right(what, `${figure}${ended(exit)}`, exit === 0 && loss <= PARITY);
}

function benchRows(report, { machine, software }) {
  const { name, exit = 0, error, adapter } = report;
  if (error) return [failure(name, error)];
  const row = (what, value, unit) => measured(`${name}: ${what}`, value, unit, machine.gpu);
  const { forward, lora_step, full_step, generation, attention_share, kernels } = report;
  const rows = [
    row("forward", forward.ms, "ms"),
    row("LoRA step", lora_step.ms, "ms"),
    row("full step", full_step.ms, "ms"),
    row(`generation, ${generation.new_tokens} tokens a row`, generation.ms, "ms"),
    row("best product", report.best_gflop_per_s, "GFLOP/s"),
    row("LoRA step, share of best product", 100 * lora_step.share_of_best, "%"),
  ];
  if (adapter.software && !software) rows.push(right(`${name}: adapter`, `${adapter.name}, software`, false));
  if (exit !== 0) rows.push(right(`${name}: end`, ended(exit).slice(2), false));
  if (!kernels) return rows;
  const longest = Object.entries(kernels).slice(0, LONGEST);
  rows.push(row("attention's share of LoRA step", 100 * attention_share, "%"));
  rows.push(...longest.map(([kernel, ms]) => row(`of LoRA step, ${kernel}`, ms, "ms")));
  return rows;
}

/** The adapter that a page saw; one in software is right where that was asked for alone. */
function adapterRow(what, adapter, software) {
  if (!adapter) return right(what, "no WebGPU adapter", false);
  const name = [adapter.vendor, adapter.architecture, adapter.description].filter(Boolean).join(" ");
  return right(what, `${name}${adapter.software ? ", software" : ""}`, software || !adapter.software);
}

function errorsRow(what, errors) {
  const figure = errors.length === 0 ? "none" : `${errors.length}: ${inLine(errors[0])}`;
  return right(what, figure, errors.length === 0);
}

function benchPageRows({ adapter, cases, errors }, report) {
  const rows = [adapterRow("bench.html: adapter", adapter, report.software)];
  for (const found of cases) {
    rows.push(...benchRows(found, report));
    const seconds = found.to_first_step_ms / 1e3;
    if (!found.error) rows.push(measured(`${found.name}: first step`, seconds, "s", report.machine.gpu));
  }
  return [...rows, errorsRow("bench.html: errors", errors)];
}

function pageRows(page, { software }) {
  const rows = [adapterRow("page: adapter", page.adapter, software)];
  if (!page.state) return rows;
  const time = (what, seconds) => {
    if (seconds !== null) rows.push(right(`page: ${what}`, `${number(seconds)} s`, null));
  };
  time("engine ready", page.ready_s);
  time("first step after Play", page.first_step_s);
  time(`${page.steps} steps of both arms`, page.run_s);
  rows.push(right("page: run", `${page.state} on ${page.engine}`, page.state === "done" && page.engine === "webgpu"));
  return [...rows, errorsRow("page: errors", page.errors)];
}

/** All rows of a report; a stage that was left out has none. @returns {Row[]} */
export function rowsOf(report) {
  const of = (what, stage, rows) => {
    if (!stage) return [];
    return stage.error ? [failure(what, stage.error)] : rows(stage);
  };
  return [
    ...machineRows(report),
    ...of("suites", report.suites, (suites) => suites.flatMap(suiteRows)),
    ...of("parity", report.parity, (parity) => parity.map(parityRow)),
    ...of("bench", report.bench, (bench) => bench.flatMap((entry) => benchRows(entry, report))),
    ...of("bench.html", report.bench_page, (found) => benchPageRows(found, report)),
    ...of("page", report.page, (found) => pageRows(found, report)),
  ];
}

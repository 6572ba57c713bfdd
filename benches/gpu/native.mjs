// The stages of scripts/gpu-check that run native programs: which adapter there is, suites, parity, benches.
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { attentionShare, kernelTimes, largestDifference, readSuite } from "./figures.mjs";

/** Seconds after which a program counts as hung. */
const LIMIT = { suite: 1800, tune: 600, bench: 900, quick: 120 };
const PARITY_STEPS = 20;
/** Of what a program says when it fails. */
const EXCERPT = 600;

/** Programs that run, which end with this one. */
const running = new Set();
const stop = (child) => {
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
};
process.on("exit", () => running.forEach(stop));
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(130));

/**
 * Runs a program in the repository's root.
 * @returns {Promise<{exit: number | string, seconds: number, stdout: string, stderr: string}>} `exit`: its status, the
 *   signal that ended it, or "time limit"
 */
export function execute(program, args, { cwd, limit }) {
  return new Promise((resolve, reject) => {
    const begun = performance.now();
    // In a group of its own, so that what it has started ends with it.
    const child = spawn(program, args, { cwd, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    const text = { stdout: "", stderr: "" };
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      stop(child);
    }, 1000 * limit);
    for (const name of ["stdout", "stderr"]) {
      child[name].setEncoding("utf8").on("data", (part) => {
        text[name] += part;
      });
    }
    running.add(child);
    const over = () => {
      clearTimeout(timer);
      running.delete(child);
    };
    child.on("error", (error) => {
      over();
      reject(error);
    });
    child.on("close", (code, signal) => {
      over();
      resolve({ exit: isLate ? "time limit" : code ?? signal, seconds: (performance.now() - begun) / 1000, ...text });
    });
  });
}

const excerpt = ({ exit, stderr }) => `exit ${exit}: ${stderr.split("Stack backtrace")[0].trim().slice(0, EXCERPT)}`;

/** The report of one `driftscope bench`. A program that fails at its very end has given one all the same. */
async function benchReport({ program, cwd }, args, limit) {
  const ended = await execute(program, ["bench", "--backend", "gpu", "--json", ...args], { cwd, limit });
  try {
    return { exit: ended.exit, ...JSON.parse(ended.stdout) };
  } catch {
    throw new Error(excerpt(ended));
  }
}

/** The adapter that native programs get: `{name, driver, software}`. */
export async function adapter(place) {
  const args = ["--layers", "1", "--batch", "1", "--time", "8", "--repeat", "1"];
  return (await benchReport(place, args, LIMIT.quick)).adapter;
}

/** One `cargo test` each, whose exit status is then the suite's own. The logs go to `out`. */
export async function suites({ cwd, out, say }) {
  const found = [];
  for (const name of ["gpu", "engine"]) {
    say(`suite ${name}`);
    const ended = await execute("cargo", ["test", "--release", "--test", name], { cwd, limit: LIMIT.suite });
    await writeFile(join(out, `suite-${name}.log`), `${ended.stdout}\n${ended.stderr}`);
    found.push(readSuite(name, ended));
  }
  return found;
}

/** The steps that a training logs on one back end. */
async function train({ program, cwd }, method, backend, folder) {
  const log = join(folder, `${method}-${backend}.jsonl`);
  const files = ["--model", "models/atlas", "--data", "data/instructions.jsonl", "--log", log];
  const what = ["--method", method, ...(method === "lora" ? ["--rank", "8"] : []), "--backend", backend];
  const how = ["--steps", `${PARITY_STEPS}`, "--seed", "1"];
  const ended = await execute(program, ["tune", ...files, ...what, ...how], { cwd, limit: LIMIT.tune });
  try {
    const lines = (await readFile(log, "utf8")).trim().split("\n");
    if (lines.length !== PARITY_STEPS) throw new Error(`${lines.length} steps`);
    return { exit: ended.exit, steps: lines.map((line) => JSON.parse(line)) };
  } catch {
    throw new Error(`${backend}, ${excerpt(ended)}`);
  }
}

async function compare(place, method, folder) {
  const gpu = await train(place, method, "gpu", folder);
  const cpu = await train(place, method, "cpu", folder);
  const difference = (key) => largestDifference(key, gpu.steps, cpu.steps);
  return {
    exit: gpu.exit || cpu.exit,
    steps: gpu.steps.length,
    loss: difference("loss"),
    grad_norm: difference("grad_norm"),
    last_loss: gpu.steps.at(-1).loss,
  };
}

/** The same short training on both engines: how far their losses and gradients lie apart at most. */
export async function parity(place) {
  const folder = await mkdtemp(join(tmpdir(), "driftscope-parity-"));
  try {
    const found = [];
    for (const [method, name] of [["lora", "LoRA rank 8"], ["full", "full"]]) {
      place.say(`parity: ${name}`);
      found.push({ name, ...(await attempt(() => compare(place, method, folder))) });
    }
    return found;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The reports of `driftscope bench`, with where the time of a step goes for those that were profiled. */
export async function bench(place, cases) {
  const found = [];
  for (const { name, args } of cases) {
    place.say(`bench: ${name}`);
    const report = await attempt(() => benchReport(place, args, LIMIT.bench));
    const { profile = [] } = report;
    const shares = profile.length > 0 ? { attention_share: attentionShare(profile), kernels: kernelTimes(profile) } : {};
    found.push({ name, ...report, ...shares });
  }
  return found;
}

/** What a stage or a part of it gives, or why it could not: the others go on. */
export async function attempt(part) {
  try {
    return await part();
  } catch (error) {
    return { error: `${error?.message ?? error}` };
  }
}

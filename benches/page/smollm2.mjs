// SmolLM2-135M (scripts/smollm2) in headless Chromium and from the command line: how long it takes to load, what the processes hold at
// most until it is loaded and in its first LoRA step, and how long a step takes.
//
//   node benches/page/smollm2.mjs [--only cpu,webgpu,webgpu-f16,native-cpu,native-gpu]
//
// Prints a table in Markdown, and ends with an error where the page holds more beside the GPU's copy than it may. Times in the page are the
// clock's, native ones those of the processor. scripts/bench-smollm2 builds what this needs.
import { execFileSync, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { fewHeldOut } from "../../scripts/held-out.mjs";
import { serveStatic } from "../../scripts/static-server.mjs";
import { WEBGPU } from "../../scripts/webgpu-flags.mjs";
import { computed, forgetPeak, held, peak, processes } from "./processes.mjs";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const { chromium } = createRequire(`${repository}tests/browser/`)("@playwright/test");

const PARAMETERS = 134_515_008;
/** What the page may hold beside the GPU's copy, as a multiple of the weights' size. */
const MOST = 1.3;
const PATIENCE_MS = 1_800_000;
const BATCH = 1;
const LENGTH = 48;
/** A setup whose start is soon measured. */
const SETTINGS = { v: "2", steps: 10, batch: BATCH, max_len: LENGTH, measure_every: 10, probes: 2, asked: 0, shift_prompts: 1, answer_len: 2, examples: 2, arm: "lora lr=0.001" };
const RUNS = {
  cpu: { engine: "cpu", way: "LoRA", bytes: 4, title: "the tab, CPU engine" },
  webgpu: { engine: "webgpu", way: "LoRA", bytes: 4, title: "the tab, WebGPU (SwiftShader)" },
  "webgpu-f16": { engine: "webgpu", way: "LoRA, base in f16", bytes: 2, title: "the tab, WebGPU (SwiftShader), base in f16" },
  "native-cpu": { backend: "cpu", title: "native, CPU engine" },
  "native-gpu": { backend: "gpu", title: "native, lavapipe" },
};

const { values: options } = parseArgs({ options: { only: { type: "string", default: Object.keys(RUNS).join() } } });
const model = execFileSync(`${repository}scripts/smollm2`, { encoding: "utf8" }).trim();

const since = (begun) => (performance.now() - begun) / 1000;

/** Seconds and MB. */
async function inTab({ engine, way }) {
  const site = await serveStatic({ root: `${repository}dist` });
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox", ...(engine === "cpu" ? [] : WEBGPU)] });
  try {
    const page = await (await browser.newContext({ serviceWorkers: "block" })).newPage();
    await fewHeldOut(page, 1);
    await page.goto(`${site.url}#${new URLSearchParams({ ...SETTINGS, engine })}`);
    await page.waitForFunction((engine) => document.documentElement.dataset.engine === engine, engine, { timeout: PATIENCE_MS });
    await page.locator('#dock [data-open="models"]').click();
    const says = (text) => page.waitForFunction((text) => document.querySelector("#model-status").textContent.includes(text), text, { timeout: PATIENCE_MS });
    await page.waitForTimeout(5000); // it warms up
    const { page: renderer, gpu } = await processes(browser);
    const before = { page: held(renderer), gpu: held(gpu) };
    [renderer, gpu].forEach(forgetPeak);
    let begun = performance.now();
    await page.locator("#model-files").setInputFiles(model);
    await says("30 layers");
    const inspected = since(begun);
    begun = performance.now();
    await page.getByRole("button", { name: `Load for ${way}`, exact: true }).click();
    await says("is loaded");
    const loaded = since(begun);
    const loading = { page: peak(renderer), gpu: peak(gpu) };
    [renderer, gpu].forEach(forgetPeak);
    await page.getByRole("button", { name: "Step", exact: true }).click();
    await page.waitForFunction(() => document.querySelector("#bar [data-step]").textContent === "1", null, { timeout: PATIENCE_MS });
    const stepping = { page: peak(renderer), gpu: peak(gpu) };
    await page.locator('#dock [data-open="tools"]').click();
    const [download] = await Promise.all([page.waitForEvent("download"), page.locator("#export-json").click()]);
    const { events } = JSON.parse(await readFile(await download.path(), "utf8"));
    const { ms } = events.find(({ type }) => type === "step");
    return { loaded: inspected + loaded, before, loading, stepping, step: ms / 1000 };
  } finally {
    await browser.close();
    await site.close();
  }
}

/** A `driftscope tune` of so many steps: seconds of the processor, and MB. */
function tune(backend, steps, folder) {
  const args = ["tune", "--model", model, "--data", `${repository}data/instructions.jsonl`, "--method", "lora", "--backend", backend];
  const sizes = ["--batch", BATCH, "--max-len", LENGTH, "--steps", steps, "--save", join(folder, `${backend}-${steps}`)].map(String);
  return new Promise((done, fail) => {
    const child = spawn(`${repository}target/release/driftscope`, [...args, ...sizes], {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, RAYON_NUM_THREADS: "1" }, // as in the page
    });
    let [most, seconds] = [0, 0];
    const timer = setInterval(() => {
      try {
        [most, seconds] = [Math.max(most, peak(child.pid)), Math.max(seconds, computed(child.pid))];
      } catch {
        // It has ended.
      }
    }, 20);
    child.on("error", fail);
    child.on("exit", (code) => {
      clearInterval(timer);
      if (code === 0) done({ seconds, most });
      else fail(new Error(`driftscope tune ended with ${code}`));
    });
  });
}

async function natively({ backend }) {
  const folder = await mkdtemp(join(tmpdir(), "driftscope-smollm2-"));
  try {
    const [one, five] = [await tune(backend, 1, folder), await tune(backend, 5, folder)];
    const step = (five.seconds - one.seconds) / 4;
    return { step, loaded: one.seconds - step, most: one.most };
  } finally {
    await rm(folder, { recursive: true });
  }
}

const number = (value, digits = 0) => value.toFixed(digits);
console.log("| | Loaded, s | Page's process before, loading, in the step, MB | GPU's process, MB | Beside the GPU's copy | A step, s |");
console.log("|---|--:|--:|--:|--:|--:|");
for (const name of options.only.split(",")) {
  const run = RUNS[name];
  if (run.backend) {
    const { loaded, most, step } = await natively(run);
    console.log(`| ${run.title} | ${number(loaded, 1)} | ${number(most)} at most | | | ${number(step, 1)} |`);
    continue;
  }
  const { loaded, before, loading, stepping, step } = await inTab(run);
  const weights = (PARAMETERS * run.bytes) / 1e6;
  const onGpu = run.engine === "webgpu" ? weights : 0;
  const more = loading.page - before.page + Math.max(0, loading.gpu - before.gpu - onGpu);
  const across = (key) => [before, loading, stepping].map((at) => number(at[key])).join(", ");
  console.log(`| ${run.title} | ${number(loaded, 1)} | ${across("page")} | ${across("gpu")} | ${number(more / weights, 2)} | ${number(step, 1)} |`);
  if (more > MOST * weights) {
    console.error(`${run.title}: it held ${number(more)} MB beside the GPU's copy, more than ${MOST} times ${number(weights)}`);
    process.exitCode = 1;
  }
}

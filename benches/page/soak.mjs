// The built page in headless Chromium through a long run of four arms: does what it holds grow? Every few seconds, after
// garbage was collected: the engine's memory, the worker's and the page's heap, the page's nodes and listeners, what is kept on
// disk, the buffers on the GPU, and what the processes of page, GPU and browser hold. A run's events are kept, so the page's heap grows by those; its arms'
// states are kept too, in Blobs of the browser and on disk, until they reach the room that www/js/state/arm-states.js gives them.
//
//   node benches/page/soak.mjs [--steps 2000] [--every 10] [--engine cpu|webgpu]
//
// Prints a table in Markdown, and ends with an error where something grows. scripts/soak builds what this needs.
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { countBuffers } from "../../scripts/gpu-buffers.mjs";
import { fewHeldOut } from "../../scripts/held-out.mjs";
import { serveStatic } from "../../scripts/static-server.mjs";
import { WEBGPU } from "../../scripts/webgpu-flags.mjs";
import { held, processes } from "./processes.mjs";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const { chromium } = createRequire(`${repository}tests/browser/`)("@playwright/test");

const { values: options } = parseArgs({
  options: {
    steps: { type: "string", default: "2000" },
    every: { type: "string", default: "10" },
    engine: { type: "string", default: "cpu" },
  },
});
const STEPS = Number(options.steps);

/** Every kind of arm. */
const ARMS = ["lora r=4", "lora r=4 dora=true", "full lr=3e-5", "full lr=3e-5 kl=0.1"];
/** Forty measurements, each of which keeps the run: after a dozen there is room for the newest states only. */
const SETTINGS = { measure_every: Math.ceil(STEPS / 40), batch: 2, max_len: 32, probes: 4, asked: 2, shift_prompts: 1, answer_len: 8 };
/** Parts of the run that are compared: everything has happened a few times, and the end. Of each the least counts: what a measurement takes for a while does not. */
const SETTLED = [0.4, 0.6];
const END = [0.8, 1];
/** How much more the end may hold: MB, but for nodes and listeners. */
const MOST = { engine: 0, worker: 1, page: 2, nodes: 250, listeners: 80, kept: 60, buffers: 4, renderer: 20, gpu: 20, browser: 60 };
/** Bytes in the page for a byte of its events as JSON: they are kept to be shown, exported and compared. */
const BYTES_OF_EVENTS = 4;
const PATIENCE_MS = 3_600_000;

const MB = 1e6;
const collected = async (send) => {
  await send("HeapProfiler.collectGarbage");
  const { usedSize, backingStorageSize = 0 } = await send("Runtime.getHeapUsage");
  return (usedSize + backingStorageSize) / MB;
};

/** Speaks to a worker of the page by the page's own session. */
function speaker(session, sessionId) {
  const waiting = new Map();
  session.on("Target.receivedMessageFromTarget", ({ sessionId: from, message }) => {
    const { id, result, error } = JSON.parse(message);
    if (from === sessionId && waiting.has(id)) waiting.get(id)(error ?? result);
  });
  return (method, params = {}) =>
    new Promise((resolve) => {
      const id = waiting.size + 1;
      waiting.set(id, resolve);
      session.send("Target.sendMessageToTarget", { sessionId, message: JSON.stringify({ id, method, params }) });
    });
}

/** Bytes of a worker's WebAssembly: asked to begin again, its module gives what it has. They never become fewer. */
const engineBytes = (worker) =>
  worker.evaluate("import(new URL('worker.js', location.href).href).then((module) => module.default()).then(({ memory }) => memory.buffer.byteLength)");

/** MB of the events as JSON, in the note of the run that is kept (www/js/state/kept-run.js). */
const noted = async () => {
  const run = await (await navigator.storage.getDirectory()).getDirectoryHandle("run").catch(() => null);
  const note = await run?.getFileHandle("note.json").catch(() => null);
  return ((await note?.getFile())?.size ?? 0) / 1e6;
};

const site = await serveStatic({ root: `${repository}dist` });
const profile = await mkdtemp(join(tmpdir(), "driftscope-soak-")); // without one the browser keeps files in memory
const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", ...(options.engine === "cpu" ? [] : WEBGPU)],
  serviceWorkers: "block",
  viewport: { width: 1280, height: 720 },
});
try {
  const browser = context.browser();
  const [page] = context.pages();
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error.stack ?? error)));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("worker", (worker) => worker.evaluate(countBuffers));
  const session = await context.newCDPSession(page);
  const workers = [];
  session.on("Target.attachedToTarget", ({ sessionId }) => workers.push(speaker(session, sessionId)));
  await session.send("Target.setAutoAttach", { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });

  await fewHeldOut(page); // a short measurement
  const arms = ARMS.map((arm) => `&${new URLSearchParams({ arm })}`).join("");
  await page.goto(`${site.url}#v=2&engine=${options.engine}&steps=${STEPS}&${new URLSearchParams(SETTINGS)}${arms}`);
  await page.waitForFunction(() => document.documentElement.dataset.engine, null, { timeout: PATIENCE_MS });
  const engine = await page.evaluate(() => document.documentElement.dataset.engine);
  if (engine !== options.engine) throw new Error(`the page computes with ${engine}`);
  const pids = await processes(browser);

  const sample = async () => {
    const sum = (values) => values.reduce((total, value) => total + value, 0);
    const heap = await collected((method) => session.send(method));
    const { nodes, jsEventListeners } = await session.send("Memory.getDOMCounters");
    return {
      step: await page.evaluate(() => Number(document.querySelector("#bar [data-step]").dataset.step)),
      engine: sum(await Promise.all(page.workers().map(engineBytes))) / MB,
      worker: sum(await Promise.all(workers.map(collected))),
      page: heap,
      events: await page.evaluate(noted),
      nodes,
      listeners: jsEventListeners,
      kept: (await page.evaluate(() => navigator.storage.estimate())).usage / MB,
      buffers: sum(await Promise.all(page.workers().map((worker) => worker.evaluate("gpuBytes")))) / MB,
      renderer: held(pids.page),
      gpu: held(pids.gpu),
      browser: held(pids.browser),
    };
  };

  console.log(`Chromium ${browser.version()}, ${engine} engine, ${STEPS} steps of ${ARMS.length} arms: ${ARMS.join(", ")}\n`);
  console.log("| Minute | Step | Engine, MB | Worker's heap, MB | Page's heap, MB | Events, MB | Nodes | Listeners | Kept, MB | GPU buffers, MB | Page's process, MB | GPU's, MB | Browser's, MB |");
  console.log("|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
  const begun = Date.now();
  const row = (s) => {
    const heaps = [s.engine, s.worker, s.page, s.events].map((value) => value.toFixed(1));
    const others = [s.kept, s.buffers, s.renderer, s.gpu, s.browser].map((value) => value.toFixed(0));
    console.log(`| ${[((Date.now() - begun) / 60_000).toFixed(1), s.step, ...heaps, s.nodes, s.listeners, ...others].join(" | ")} |`);
  };
  await page.locator("#play").click();
  await page.waitForFunction(() => document.documentElement.dataset.run === "running", null, { timeout: PATIENCE_MS });
  // While it runs: its end brings more of the page into use.
  const samples = [];
  for (;;) {
    await page.waitForTimeout(1000 * Number(options.every));
    const found = await sample();
    if (await page.evaluate(() => document.documentElement.dataset.run === "done")) break;
    samples.push(found);
    row(found);
    if (Date.now() > begun + PATIENCE_MS) throw new Error("it takes too long");
  }
  if (errors.length > 0) throw new Error(errors.join("\n"));

  const least = ([from, to]) => {
    const part = samples.filter(({ step }) => step >= from * STEPS && step <= to * STEPS);
    if (part.length < 2) throw new Error("the run was too short to be sampled");
    return Object.fromEntries(Object.keys(part[0]).map((name) => [name, Math.min(...part.map((found) => found[name]))]));
  };
  const [settled, end] = [SETTLED, END].map(least);
  const events = end.events - settled.events;
  const allowed = { ...MOST, page: MOST.page + events * BYTES_OF_EVENTS };
  const grown = Object.entries(allowed).filter(([name, most]) => end[name] - settled[name] > most);
  for (const [name, most] of grown) {
    console.error(`${name}: from ${settled[name].toFixed(1)} to ${end[name].toFixed(1)}; ${most.toFixed(1)} more are expected`);
  }
  console.log(`\nFrom step ${settled.step} to ${end.step} the page's heap has grown by ${(end.page - settled.page).toFixed(1)} MB, its events as JSON by ${events.toFixed(1)} MB.`);
  if (grown.length > 0) process.exitCode = 1;
} finally {
  await context.close();
  await site.close();
  await rm(profile, { recursive: true, force: true });
}

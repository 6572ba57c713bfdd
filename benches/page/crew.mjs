// What a second worker gains on the CPU engine: a run of two arms, in one worker and in two, in turn, in one headless Chromium.
//
//   node benches/page/crew.mjs [--pairs 3] [--steps 60] [--arm "lora" --arm "full"] [--workers 2] [--frames] [--json]
//
// Time is from Play to the end of the run, with the workers there and the page's other settings as they are. With --frames each run is
// traced, which takes time itself, and what the UI thread did a frame is reported. Needs a built page and CHROMIUM.
import { createRequire } from "node:module";
import { loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { serveStatic } from "../../scripts/static-server.mjs";
import { CATEGORIES, frames } from "./trace.mjs";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const { chromium } = createRequire(`${repository}tests/browser/`)("@playwright/test");
const PATIENCE_MS = 600_000;
const SETTLE_MS = 1500;
const AIM_MS = 8;

const { values: options } = parseArgs({
  options: {
    pairs: { type: "string", default: "3" },
    steps: { type: "string", default: "60" },
    arm: { type: "string", multiple: true, default: [] },
    workers: { type: "string", default: "2" },
    frames: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

const site = await serveStatic({ root: `${repository}dist` });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
const page = await browser.newPage({ viewport: { width: 1280, height: 720 } });
const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];

/** Seconds of a run, and what its frames took. */
async function run(workers) {
  const arms = options.arm.map((arm) => `&${new URLSearchParams({ arm })}`).join("");
  await page.goto("about:blank");
  await page.goto(`${site.url}?workers=${workers}#v=2&engine=cpu&steps=${options.steps}${arms}`);
  await page.waitForFunction(() => document.documentElement.dataset.engine === "cpu", null, { timeout: PATIENCE_MS });
  await page.waitForTimeout(SETTLE_MS);
  if (options.frames) {
    await page.evaluate(() => requestAnimationFrame(function again() { requestAnimationFrame(again); }));
    await browser.startTracing(page, { categories: CATEGORIES });
  }
  const seconds = await page.evaluate(() => new Promise((resolve) => {
    const root = document.documentElement;
    const begun = performance.now();
    new MutationObserver(() => root.dataset.run === "done" && resolve((performance.now() - begun) / 1e3)).observe(root, { attributes: true });
    document.querySelector("#play").click();
  }));
  if (!options.frames) return { seconds };
  const trace = await browser.stopTracing();
  const cpu = frames(JSON.parse(trace.toString()).traceEvents).map((frame) => frame.cpu).sort((a, b) => a - b);
  const over = cpu.filter((ms) => ms > AIM_MS).length;
  return { seconds, frames: cpu.length, median_ms: at(cpu, 0.5), p99_ms: at(cpu, 0.99), most_ms: at(cpu, 1), over };
}

const pairs = [];
for (let i = 0; i < Number(options.pairs); i++) {
  const load = loadavg()[0];
  // Who comes first changes, so that a machine that gets slower favours nobody.
  const order = i % 2 ? [Number(options.workers), 1] : [1, Number(options.workers)];
  const found = new Map();
  for (const workers of order) found.set(workers, await run(workers));
  const [one, more] = [found.get(1), found.get(Number(options.workers))];
  pairs.push({ one, more, ratio: more.seconds / one.seconds, load });
  process.stderr.write(`${one.seconds.toFixed(1)} s, ${more.seconds.toFixed(1)} s: ${pairs.at(-1).ratio.toFixed(3)} (load ${load.toFixed(1)})\n`);
}
if (options.json) console.log(JSON.stringify(pairs, null, 1));
await browser.close();
await site.close();

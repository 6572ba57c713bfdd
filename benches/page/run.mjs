// The built page in headless Chromium: how long from its load to a run's first step, and what its UI thread does a
// frame while all arms train.
//
//   node benches/page/run.mjs [--engine auto|cpu|webgpu] [--arms 6] [--visits 4] [--wait 0] [--seconds 20] [--width 1280]
//                             [--views loss,recall,strips,trade-off,weights] [--worst 0] [--json]
//
// Visits share a browser profile. The first fills its caches and is reported by itself; Play is pressed as soon as the
// engine is ready, or `--wait` seconds later; the recorded run is on the stage before that. Then the stage is traced for
// `--seconds` with each of the views: a chart, beside the walls and the answers, or a drawer. `--worst 5` says what the five
// longest frames did. scripts/bench-page builds what this needs.
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { serveStatic } from "../../scripts/static-server.mjs";
import { WEBGPU } from "../../scripts/webgpu-flags.mjs";
import { CATEGORIES, frames, longest } from "./trace.mjs";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const { chromium } = createRequire(`${repository}tests/browser/`)("@playwright/test");

/** What the UI thread may do a frame. */
const AIM_MS = 8;
/** Charts of the stage, and drawers. */
const VIEWS = ["loss", "recall", "strips", "trade-off", "weights"];
/** A long run that is measured often, so that all views change. */
const SETTINGS = "v=2&steps=2000&measure_every=10";
const ARMS = ["lora r=1", "full lr=1e-4", "lora r=4", "full kl=0.1 lr=1e-4", "lora r=16", "full kl=1 lr=1e-4"];
/** The views change from here on: both arms have been measured twice. */
const STEPS_BEFORE = 21;
const PATIENCE_MS = 600_000;
/** The browser finishes what the visit before has queued. */
const SETTLE_MS = 3000;

const say = (text) => process.stderr.write(`${text}\n`);

const { values: options } = parseArgs({
  options: {
    engine: { type: "string", default: "auto" },
    arms: { type: "string", default: String(ARMS.length) },
    visits: { type: "string", default: "4" },
    wait: { type: "string", default: "0" },
    seconds: { type: "string", default: "20" },
    width: { type: "string", default: "1280" },
    views: { type: "string", default: VIEWS.join() },
    worst: { type: "string", default: "0" },
    json: { type: "boolean", default: false },
  },
});

/**
 * In the page, before its own scripts: presses Play some milliseconds after the engine is ready, and notes when the
 * recorded run stood on the stage, when the first step ended and for how long at most no frame came in between.
 */
function pressPlay(wait) {
  let last = 0;
  requestAnimationFrame(function again() {
    const now = performance.now();
    if (window.playMs < last && !window.stepMs) window.stillMs = Math.max(window.stillMs, now - last);
    last = now;
    requestAnimationFrame(again);
  });
  addEventListener("DOMContentLoaded", () => {
    const root = document.documentElement;
    const counter = document.querySelector("#bar [data-step]");
    if (!counter) return; // about:blank, before the page
    new MutationObserver(() => {
      if (counter.dataset.step > 0) window.stageMs ??= performance.now();
    }).observe(counter, { attributes: true });
    new MutationObserver(() => {
      if (!["cpu", "webgpu"].includes(root.dataset.engine) || window.readyMs) return;
      window.readyMs = performance.now();
      const isLive = () => ["preparing", "running"].includes(root.dataset.run);
      new MutationObserver(() => {
        if (isLive() && counter.dataset.step === "1") window.stepMs ??= performance.now();
      }).observe(counter, { attributes: true });
      const press = () => {
        window.playMs = performance.now();
        window.stillMs = 0;
        document.querySelector("#play").click();
      };
      if (wait > 0) setTimeout(press, wait);
      else press();
    }).observe(root, { attributes: true });
  });
}

async function visit(page, url) {
  await page.goto("about:blank");
  await page.waitForTimeout(SETTLE_MS);
  const arms = ARMS.slice(0, Number(options.arms)).map((arm) => `&${new URLSearchParams({ arm })}`);
  await page.goto(`${url}#${SETTINGS}${arms.join("")}&engine=${options.engine}`);
  await page.waitForFunction(() => window.stepMs, null, { timeout: PATIENCE_MS });
  return page.evaluate(() => ({
    engine: document.documentElement.dataset.engine,
    paint_ms: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN,
    stage_ms: window.stageMs,
    ready_ms: window.readyMs,
    play_ms: window.playMs,
    first_step_ms: window.stepMs,
    still_ms: window.stillMs,
  }));
}

const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];

function summary(view, found) {
  const cpu = found.map((frame) => frame.cpu).sort((a, b) => a - b);
  const wall = found.map((frame) => frame.wall).sort((a, b) => a - b);
  const over = found.filter((frame) => frame.cpu > AIM_MS);
  return {
    view,
    frames: found.length,
    median_ms: at(cpu, 0.5),
    p99_ms: at(cpu, 0.99),
    most_ms: at(cpu, 1),
    over: over.length,
    over_collecting: over.filter((frame) => frame.cpu - frame.collected <= AIM_MS).length,
    wall_p99_ms: at(wall, 0.99),
    wall_over: wall.filter((ms) => ms > AIM_MS).length,
  };
}

async function watch(browser, page, view) {
  const drawer = page.locator(`#dock [data-open="${view}"]`);
  if ((await drawer.count()) > 0) await drawer.click();
  else await page.locator("#figure-choice").selectOption(view);
  await page.waitForTimeout(1500);
  await browser.startTracing(page, { categories: CATEGORIES });
  await page.waitForTimeout(1000 * Number(options.seconds));
  const trace = await browser.stopTracing();
  const found = frames(JSON.parse(trace.toString()).traceEvents);
  const worst = found.toSorted((a, b) => b.cpu - a.cpu).slice(0, Number(options.worst));
  for (const frame of worst) say(`${view}, ${frame.cpu.toFixed(1)} ms: ${longest(frame)}`);
  return summary(view, found);
}

function print({ browser, engine, visits, views, load }) {
  console.log(`${browser}; engine ${engine}; load ${load.map((value) => value.toFixed(1)).join(" to ")}`);
  const row = (cells) => console.log(cells.map((cell, i) => (i ? `${cell}`.padStart(12) : cell.padEnd(14))).join(""));
  const ms = (value) => value.toFixed(1);
  row(["", "paint, ms", "stage", "ready", "first step", "from Play", "no frame"]);
  visits.forEach(({ paint_ms, stage_ms, ready_ms, play_ms, first_step_ms, still_ms }, i) => {
    const times = [paint_ms, stage_ms, ready_ms, first_step_ms, first_step_ms - play_ms, still_ms];
    row([i ? `visit ${i + 1}` : "first visit", ...times.map((value) => value.toFixed(0))]);
  });
  if (views.length === 0) return;
  row(["a frame, ms", "frames", "median", "99 %", "most", `over ${AIM_MS}`, "of it GC", "clock 99 %", `over ${AIM_MS}`]);
  for (const v of views) {
    row([v.view, v.frames, ms(v.median_ms), ms(v.p99_ms), ms(v.most_ms), v.over, v.over_collecting, ms(v.wall_p99_ms), v.wall_over]);
  }
}

const site = await serveStatic({ root: `${repository}dist` });
const profile = await mkdtemp(join(tmpdir(), "driftscope-bench-"));
const load = [loadavg()[0]];
const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", ...(options.engine === "cpu" ? [] : WEBGPU)],
  viewport: { width: Number(options.width), height: 720 },
});
try {
  const [page] = context.pages();
  page.on("pageerror", (error) => say(`browser: ${error.stack ?? error}`));
  await page.addInitScript(pressPlay, 1000 * Number(options.wait));
  const visits = [];
  for (let i = 0; i < Number(options.visits); i++) {
    visits.push(await visit(page, site.url));
    say(`visit ${i + 1}: ${visits.at(-1).first_step_ms.toFixed(0)} ms`);
  }
  const views = [];
  const wanted = options.views.split(",").filter((name) => VIEWS.includes(name));
  if (wanted.length > 0) {
    const counter = (step) => Number(document.querySelector("#bar [data-step]").dataset.step) >= step;
    await page.waitForFunction(counter, STEPS_BEFORE, { timeout: PATIENCE_MS });
    // Frames go on where nothing changes: one in which nothing is done counts, too.
    await page.evaluate(() => requestAnimationFrame(function again() { requestAnimationFrame(again); }));
  }
  const browser = context.browser();
  for (const name of wanted) views.push(await watch(browser, page, name));
  const report = { browser: `Chromium ${browser.version()}`, engine: visits.at(-1).engine, visits, views, load: [...load, loadavg()[0]] };
  if (options.json) console.log(JSON.stringify(report, null, 2));
  else print(report);
} finally {
  await context.close();
  await site.close();
  await rm(profile, { recursive: true, force: true });
}

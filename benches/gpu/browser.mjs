// The stages of scripts/gpu-check that need a browser: bench.html, and a live run of the page.
import { createRequire } from "node:module";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { serveStatic } from "../../scripts/static-server.mjs";
import { WEBGPU, WEBGPU_HARDWARE } from "../../scripts/webgpu-flags.mjs";
import { isSoftware } from "./figures.mjs";
import { attempt } from "./native.mjs";

const { chromium } = createRequire(new URL("../../tests/browser/", import.meta.url))("@playwright/test");

const ADAPTER_MS = 60_000;
const ENGINE_MS = 180_000;
const PATIENCE_MS = 900_000;
// In the C locale Chromium's language is one that Intl refuses.
const ENGLISH = { LANG: "en_US.UTF-8", LC_ALL: "en_US.UTF-8" };

/** Opens the built page's folder in a browser, and closes both whatever happens. */
async function withBrowser({ dist, software }, use) {
  const site = await serveStatic({ root: dist });
  try {
    const browser = await chromium.launch({
      executablePath: process.env.CHROMIUM,
      args: ["--no-sandbox", ...(software ? WEBGPU : WEBGPU_HARDWARE)],
      env: { ...process.env, ...ENGLISH },
    });
    try {
      const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, locale: "en-US" });
      return await use(page, site.url);
    } finally {
      await browser.close();
    }
  } finally {
    await site.close();
  }
}

/** A browser whose GPU process hangs never answers: nor does then what is evaluated in its pages. */
async function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: no answer in ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What goes wrong in a page, as text. */
function errorsOf(page) {
  const errors = [];
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => errors.push(`uncaught: ${error.stack ?? error}`));
  page.on("crash", () => errors.push("the page crashed"));
  page.on("response", (response) => {
    if (response.status() >= 400) errors.push(`${response.status()}: ${response.url()}`);
  });
  return errors;
}

/** The adapter that a page is given, or null. */
async function adapterOf(page) {
  const asked = page.evaluate(async () => {
    const gpu = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
    if (!gpu) return null;
    const { vendor, architecture, device, description, subgroupMinSize, subgroupMaxSize, isFallbackAdapter } = gpu.info;
    return {
      vendor, architecture, device, description,
      fallback: isFallbackAdapter ?? false,
      subgroups: [subgroupMinSize ?? null, subgroupMaxSize ?? null],
      features: [...gpu.features].sort(),
      binding_bytes: gpu.limits.maxStorageBufferBindingSize,
      workgroup_bytes: gpu.limits.maxComputeWorkgroupStorageSize,
    };
  });
  const found = await within(ADAPTER_MS, "the WebGPU adapter", asked);
  return found && { ...found, software: isSoftware(found) };
}

/** On hardware nothing is measured on a program on the CPU: it would take hours and say nothing. */
const isWanted = (adapter, software) => adapter !== null && (software || !adapter.software);

/** What the page says of itself. */
const seenIn = (page) => page.evaluate(() => ({
  times: window.times,
  engine: document.documentElement.dataset.engine,
  state: document.documentElement.dataset.run,
  alerts: [...document.querySelectorAll("#alerts .alert")].map((alert) => alert.innerText),
}));

async function measure(page, url, { model, fields }) {
  await page.goto(`${url}bench.html`);
  await page.getByLabel("Engine").selectOption("webgpu");
  await page.getByLabel("Model").selectOption(model);
  for (const [field, value] of Object.entries(fields)) await page.locator(`#bench-${field}`).fill(`${value}`);
  await page.getByRole("button", { name: "Run" }).click();
  await page.waitForSelector("html[data-bench=done], html[data-bench=failed]", { state: "attached", timeout: PATIENCE_MS });
  const [report] = JSON.parse(await page.locator("#bench-json").inputValue());
  if (!report) throw new Error((await seenIn(page)).alerts.join(" ") || "no report");
  return report;
}

/** bench.html on WebGPU. */
export function benchPage(place, cases) {
  return withBrowser(place, async (page, url) => {
    const errors = errorsOf(page);
    await page.goto(`${url}bench.html`);
    const adapter = await adapterOf(page);
    const found = [];
    for (const entry of isWanted(adapter, place.software) ? cases : []) {
      place.say(`bench.html: ${entry.name}`);
      found.push({ name: entry.name, ...(await attempt(() => measure(page, url, entry))) });
    }
    return { adapter, cases: found, errors };
  });
}

/** In the page, before its own scripts: notes when the engine is ready, Play pressed, a step done, the run over. */
function noteTimes() {
  window.times = {};
  addEventListener("DOMContentLoaded", () => {
    const root = document.documentElement;
    const note = (what, isSo) => {
      if (isSo) window.times[what] ??= performance.now();
    };
    document.querySelector("#play").addEventListener("click", () => note("play", true));
    new MutationObserver(() => {
      // Until the live run is there, the counter shows a recorded one's steps.
      const isLive = document.querySelector("#source").dataset.source === "live";
      note("ready", ["webgpu", "cpu", "playback"].includes(root.dataset.engine));
      note("step", isLive && Number(document.querySelector("#bar [data-step]").dataset.step) > 0);
      note("done", root.dataset.run === "done");
    }).observe(root, { subtree: true, attributeFilter: ["data-engine", "data-source", "data-step", "data-run"] });
  });
}

/** Presses Play and waits for the run's end, or for the first error that the page shows. */
async function play(page) {
  await page.getByRole("button", { name: "Play", exact: true }).click();
  const isOver = () => document.documentElement.dataset.run === "done" || document.querySelector("#alerts .alert");
  await page.waitForFunction(isOver, null, { timeout: PATIENCE_MS });
}

async function live(page, out, errors) {
  const shot = async (name) => {
    const path = join(out, `page-${name}.png`);
    const taken = await attempt(() => page.screenshot({ path, fullPage: true, animations: "disabled" }));
    if (taken.error) errors.push(taken.error);
  };
  await page.waitForFunction(() => window.times.ready, null, { timeout: ENGINE_MS });
  await shot("ready");
  const engine = await page.evaluate(() => document.documentElement.dataset.engine);
  if (engine !== "webgpu") errors.push(`the engine is ${engine}, not webgpu`);
  else await play(page);
  await shot("done");
}

/** A live run of the page, as a visitor starts it. Screenshots go to `out`. */
export function livePage(place, steps) {
  return withBrowser(place, async (page, url) => {
    const errors = errorsOf(page);
    for (const name of ["ready", "done"]) await rm(join(place.out, `page-${name}.png`), { force: true });
    await page.addInitScript(noteTimes);
    await page.goto(`${url}index.html#v=1&engine=webgpu&steps=${steps}`);
    const adapter = await adapterOf(page);
    if (!isWanted(adapter, place.software)) return { adapter };
    place.say(`page: ${steps} steps`);
    const ended = await attempt(() => live(page, place.out, errors));
    if (ended?.error) errors.push(ended.error);
    // Of a page that has crashed nothing more can be read.
    const seen = await attempt(() => within(ADAPTER_MS, "the page", seenIn(page)));
    errors.push(...(seen.error ? [seen.error] : seen.alerts));
    const { times = {}, engine = "unknown", state = "unknown" } = seen;
    const between = (from, to) => (to === undefined ? null : (to - from) / 1000);
    return {
      adapter, engine, state, steps, errors,
      ready_s: between(0, times.ready),
      first_step_s: between(times.play, times.step),
      run_s: between(times.play, times.done),
    };
  });
}

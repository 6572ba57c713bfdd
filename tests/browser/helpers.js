// What the specs share: the built page served under a sub-path, the errors it causes, screenshots.
import { test as base, expect } from "@playwright/test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { serveStatic } from "../../scripts/static-server.mjs";

export { expect };

const repository = fileURLToPath(new URL("../..", import.meta.url));
const WIDTHS = { 1280: { width: 1280, height: 800 }, 390: { width: 390, height: 844 } };

/** What `document.documentElement.dataset.engine` says once the page knows what it will compute with. */
export const ENGINES = ["webgpu", "cpu", "playback"];

/**
 * Playwright's `test` with two fixtures more:
 * - `site`: {url} of dist/ served by a plain static server, in a sub-path as on project pages of a Git host;
 * - `errors`: console errors, uncaught exceptions, failed requests and requests to other hosts of `page`, as text.
 *   It is checked to be empty after each test; a test that expects an error clears it with `errors.length = 0`.
 */
export const test = base.extend({
  site: [async ({}, use) => {
    const site = await serveStatic({ root: repository + "dist", base: "/some/path/" });
    await use(site);
    await site.close();
  }, { scope: "worker" }],

  errors: [async ({ page, site }, use) => {
    const errors = [];
    const origin = new URL(site.url).origin;
    page.on("console", (message) => {
      if (message.type() === "error") errors.push(`console: ${message.text()}`);
    });
    page.on("pageerror", (error) => errors.push(`uncaught: ${error.stack ?? error}`));
    page.on("response", (response) => {
      if (response.status() >= 400) errors.push(`${response.status()}: ${response.url()}`);
    });
    page.on("request", (request) => {
      const url = new URL(request.url());
      if (url.protocol.startsWith("http") && url.origin !== origin) errors.push(`other host: ${url}`);
    });
    await use(errors);
    expect(errors, "errors of the page").toEqual([]);
  }, { auto: true }],
});

/** Opens the page. `at` is what follows its address: "?…" or "#…". */
export async function openPage(page, site, at = "") {
  await page.goto(site.url + at);
}

/** Waits until the page has chosen its engine, and returns its name. The first WebGPU start in software is slow. */
export async function waitForEngine(page, timeout = 120_000) {
  const engine = await page.waitForFunction(
    (engines) => engines.find((name) => name === document.documentElement.dataset.engine),
    ENGINES,
    { timeout },
  );
  return engine.jsonValue();
}

/** Saves the whole page as test-artifacts/screens/NAME-PROJECT-WIDTH-SCHEME.png at both widths, light and dark. */
export async function screenshots(page, testInfo, name) {
  const before = page.viewportSize();
  for (const [width, size] of Object.entries(WIDTHS)) {
    for (const colorScheme of ["light", "dark"]) {
      await page.setViewportSize(size);
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      const path = `${repository}test-artifacts/screens/${name}-${testInfo.project.name}-${width}-${colorScheme}.png`;
      await page.screenshot({ path, fullPage: true, animations: "disabled" });
    }
  }
  await page.emulateMedia({ colorScheme: null, reducedMotion: null });
  await page.setViewportSize(before);
}

/** By how many CSS pixels the page is wider than a window of this width. */
export async function horizontalOverflow(page, width) {
  const before = page.viewportSize();
  await page.setViewportSize({ width, height: 800 });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  await page.setViewportSize(before);
  return Math.max(0, overflow);
}

/** Opens a drawer; without a name closes the one that is open. */
export async function openDrawer(page, name) {
  const button = page.locator(name ? `#dock [data-open="${name}"]` : '#dock [aria-expanded="true"]');
  if ((await button.count()) === 0 || (await button.getAttribute("aria-expanded")) === String(Boolean(name))) return;
  await button.click();
}

/** Shows a chart on the stage. */
export async function showFigure(page, name) {
  await openDrawer(page, "");
  await page.locator("#figure-choice").selectOption(name);
}

/** Shows what is said to "held-out" questions, to a "fact", or to what is asked: "ask". */
export async function showSaid(page, what) {
  await openDrawer(page, "");
  await page.locator("#said-choice label", { hasText: what }).click();
}

/** Asks every arm. */
export async function ask(page, question) {
  await showSaid(page, "ask");
  await page.locator("#ask-question").fill(question);
  await page.locator("#ask-form").getByRole("button").first().click();
}

/** Has a picture saved that is at least so wide, in CSS pixels, and not empty; returns its file's name. */
export async function expectPicture(page, name, least) {
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator(`[data-picture="${name}"]`).click()]);
  const bytes = readFileSync(await download.path());
  expect(bytes.subarray(1, 4).toString()).toBe("PNG");
  expect(bytes.readUInt32BE(16), `${name}: width`).toBeGreaterThan(2 * least);
  expect(bytes.length, `${name}: more than an empty canvas`).toBeGreaterThan(20_000);
  return download.suggestedFilename();
}

/** A file that a button of the drawer "Save, share" saves: its name and bytes. */
export async function downloaded(page, selector) {
  await openDrawer(page, "tools");
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator(selector).click()]);
  return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
}

/** Leaves files for tests/parity/check_page.py, which compares them with PEFT and transformers. */
export function leave(name, files) {
  const folder = `${repository}test-artifacts/adapters/${name}`;
  mkdirSync(folder, { recursive: true });
  for (const [file, bytes] of Object.entries(files)) writeFileSync(`${folder}/${file}`, bytes);
}

/** The record that the page holds, by its own export. */
export async function exportRecord(page) {
  return JSON.parse((await downloaded(page, "#export-json")).bytes.toString("utf8"));
}

/** Measured at every second step, for tests that are not about a run's figures; no arm is asked. */
export const LITTLE_MEASURED = "batch=2&measure_every=2&probes=20&asked=0&shift_prompts=1&answer_len=4&samples=4";
/** The same, with two questions for each arm. */
export const LITTLE_ASKED = "batch=2&max_len=32&measure_every=2&probes=20&asked=2&shift_prompts=1&answer_len=8&samples=4";

/** A short run of two arms on the CPU engine. */
export const SHORT_RUN = `#v=2&engine=cpu&steps=6&${LITTLE_ASKED}&examples=16&arm=lora+lr=0.003+warmup=0&arm=full+lr=0.001+warmup=0`;

/** Presses a button of the page. */
export const press = (page, name) => page.getByRole("button", { name, exact: true }).click();

/** Waits until the page shows a step. */
export const at = (page, step) => expect(page.locator("#bar [data-step]")).toHaveText(String(step), { timeout: 60_000 });

/** Waits until the run has ended. */
export const done = (page) => expect(page.locator("html")).toHaveAttribute("data-run", "done", { timeout: 120_000 });

/** Takes two steps of each arm to `step`, and waits until both are measured and what they have come to is kept. */
export async function twoSteps(page, step) {
  await press(page, "Step");
  await press(page, "Step");
  await at(page, step);
  for (const wall of await page.locator("canvas[data-wall]:visible").all()) {
    await expect(wall).toHaveAttribute("aria-label", new RegExp(`after ${step} steps`), { timeout: 60_000 });
  }
  await expect(page.locator("#kept-size")).toContainText("The run is kept", { timeout: 30_000 });
  await page.waitForTimeout(1000); // it is written in the background
}

/** A run to its end, and what it said; then two steps of the same again. */
export async function wholeThenTwo(page, site, at = SHORT_RUN) {
  await openPage(page, site, at);
  await waitForEngine(page);
  await press(page, "Play");
  await done(page);
  const whole = await said(page);
  await press(page, "Reset");
  await twoSteps(page, 2);
  return whole;
}

/** The record without times and without the number of the run, by arm and step: the start is measured when there is time. */
export async function said(page) {
  const { events } = await exportRecord(page);
  await openDrawer(page, "");
  const plain = events.filter(({ type }) => type !== "done").map(({ ms, run, ...event }) => event);
  const key = ({ type, arm = "", step = 0 }) => `${arm} ${String(step).padStart(4)} ${type}`;
  return plain.toSorted((a, b) => key(a).localeCompare(key(b)));
}

// What can go wrong with the engine and the browser's room, each brought about for real: nothing is lost, and a sentence says what to do.
import { SHORT_RUN, at, done, expect, openPage, press, said, test, twoSteps, waitForEngine, wholeThenTwo } from "./helpers.js";

/** On a WebGPU that is a program. */
const ON_WEBGPU = SHORT_RUN.replace("engine=cpu", "engine=webgpu").replace("steps=6", "steps=4").replace(/&arm=full.*/, "");

const alert = (page, name) => page.locator(`#alerts [data-error="${name}"]`);
/** One of the engine's workers: the last, or the one at a place. Where there are two cores each of the two arms has its own. */
const worker = (page, place = -1) => page.workers().at(place);

test("a worker that fails is restarted, and the run equals an uninterrupted one @plain", async ({ page, site, errors }) => {
  test.setTimeout(300_000);
  const whole = await wholeThenTwo(page, site);
  await press(page, "Play");
  await worker(page).evaluate(() => void setTimeout(() => { throw new Error("out of order"); }));
  await expect(alert(page, "worker")).toContainText("It is restarting, and the run will resume from its last measurement", { timeout: 60_000 });
  await expect(alert(page, "worker")).toContainText("out of order");
  await done(page); // it trains on by itself
  expect(await said(page)).toEqual(whole);
  errors.length = 0;
});

for (const [what, place, stop] of [["is gone without a word", 0, () => close()], ["is stuck", -1, () => { for (;;); }]]) {
  test(`a worker that ${what} is noticed, and started again @plain`, async ({ page, site }) => {
    test.setTimeout(300_000);
    await page.clock.install();
    const whole = await wholeThenTwo(page, site);
    worker(page, place).evaluate(stop).catch(() => {}); // it never answers
    await page.waitForTimeout(500);
    await page.clock.runFor(70_000);
    await expect(alert(page, "silent")).toContainText("The engine has not answered for a minute");
    await press(page, "Start it again");
    await expect(page.locator("#status")).toHaveText("The engine is ready again; the run waits at step 2. Play goes on with it.", { timeout: 60_000 });
    await expect(alert(page, "silent")).toBeHidden();
    await press(page, "Play");
    await done(page);
    expect(await said(page)).toEqual(whole);
  });
}

test("pressed twice, changed while it runs, or out of sight: the run is the same @plain", async ({ page, site, context }) => {
  test.setTimeout(300_000);
  await openPage(page, site, SHORT_RUN);
  await waitForEngine(page);
  await page.getByRole("button", { name: "Step", exact: true }).dblclick();
  await at(page, 2);
  await page.getByRole("button", { name: "Play", exact: true }).dblclick(); // Play, and Pause
  await expect(page.locator("html")).toHaveAttribute("data-run", "paused", { timeout: 60_000 });
  await page.getByRole("button", { name: "Reset", exact: true }).dblclick();
  await press(page, "Play");
  await page.evaluate(() => { location.hash = location.hash.replace("steps=6", "steps=4"); });
  await expect(page.locator("#restart-note")).toBeVisible();
  const other = await context.newPage();
  await other.bringToFront();
  await done(page);
  await at(page, 6); // what it began with
  await other.close();
  await expect(page.locator("#alerts")).toBeEmpty();
});

test("a machine that slept for an hour trains on @plain", async ({ page, site }) => {
  test.setTimeout(300_000);
  await page.clock.install();
  await openPage(page, site, SHORT_RUN);
  await waitForEngine(page);
  await twoSteps(page, 2);
  await page.clock.fastForward(3_600_000);
  await press(page, "Play");
  await done(page);
  await expect(page.locator("#alerts")).toBeEmpty();
});

test("a lost device is replaced, a second time by the CPU @webgpu", async ({ page, site, browser, errors }) => {
  test.setTimeout(600_000);
  await openPage(page, site, ON_WEBGPU);
  expect(await waitForEngine(page)).toBe("webgpu");
  await twoSteps(page, 2);
  const cdp = await browser.newBrowserCDPSession();
  const crash = () => cdp.send("Browser.crashGpuProcess");
  await crash();
  await press(page, "Play");
  await expect(alert(page, "device-lost").first()).toContainText("the run will resume from its last measurement", { timeout: 60_000 });
  await done(page);
  await press(page, "Reset");
  await twoSteps(page, 2);
  await crash();
  await press(page, "Play");
  await expect(page.locator("html")).toHaveAttribute("data-engine", "cpu", { timeout: 120_000 });
  await done(page);
  errors.length = 0;
});

test("a device without memory left: the run waits at its last measure @webgpu", async ({ page, site, errors }) => {
  test.setTimeout(600_000);
  page.on("worker", (worker) => worker.evaluate(() => {
    const request = GPUAdapter.prototype.requestDevice;
    GPUAdapter.prototype.requestDevice = async function (...all) {
      return (globalThis.device = await request.apply(this, all));
    };
  }));
  await openPage(page, site, ON_WEBGPU);
  expect(await waitForEngine(page)).toBe("webgpu");
  await twoSteps(page, 2);
  await worker(page).evaluate(() => {
    const error = new GPUOutOfMemoryError("no room");
    globalThis.device.dispatchEvent(new GPUUncapturedErrorEvent("uncapturederror", { error }));
  });
  await press(page, "Play");
  await expect(alert(page, "out-of-memory")).toContainText("Fewer arms, a smaller batch", { timeout: 120_000 });
  await expect(page.locator("#status")).toHaveText("The engine is ready again; the run waits at step 2. Play goes on with it.", { timeout: 120_000 });
  await press(page, "Play");
  await done(page);
  errors.length = 0;
});

for (const [what, hook, says] of [
  ["is full", () => {
    FileSystemFileHandle.prototype.createWritable = () => Promise.reject(new DOMException("The quota has been exceeded", "QuotaExceededError"));
  }, "The run could not be kept (The quota has been exceeded); it goes on, and can be saved as a file."],
  ["is refused", () => {
    navigator.storage.getDirectory = () => Promise.reject(new DOMException("It is not allowed", "SecurityError"));
  }, "This browser has no place for a run: a reload loses it, but it can be saved as a file."],
]) {
  test(`a browser whose storage ${what}: the run goes on @plain`, async ({ page, site }) => {
    test.setTimeout(300_000);
    await page.addInitScript(hook);
    await openPage(page, site, SHORT_RUN);
    await waitForEngine(page);
    await press(page, "Play");
    await done(page);
    await expect(page.locator("#kept-size")).toHaveText(says);
    await expect(page.locator("#alerts")).toBeEmpty();
  });
}

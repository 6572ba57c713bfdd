// The page as a whole: it loads, finds something to compute with, and fits a narrow window.
import { expect, horizontalOverflow, openPage, screenshots, test, waitForEngine } from "./helpers.js";

test("loads without errors and chooses an engine", async ({ page, site }, testInfo) => {
  await openPage(page, site);
  const engine = await waitForEngine(page);
  if (testInfo.project.name === "plain") expect(engine).not.toBe("webgpu");
  await screenshots(page, testInfo, "start");
});

test("fits a window of 360 pixels", async ({ page, site }) => {
  await openPage(page, site);
  await waitForEngine(page);
  expect(await horizontalOverflow(page, 360)).toBe(0);
});

test("the browser has WebGPU @webgpu", async ({ page, site }) => {
  await openPage(page, site);
  expect(await page.evaluate(async () => Boolean(await navigator.gpu?.requestAdapter()))).toBe(true);
});

test("the browser has no WebGPU @plain", async ({ page, site }) => {
  await openPage(page, site);
  expect(await page.evaluate(async () => Boolean(await navigator.gpu?.requestAdapter()))).toBe(false);
});

// A run survives a reload: it is offered where it stopped, and goes on as if nothing had been.
import { expect, exportRecord, openDrawer, openPage, test, waitForEngine } from "./helpers.js";

const RUN =
  "#v=2&engine=cpu&steps=6&batch=2&max_len=32&measure_every=2&probes=20&asked=2&shift_prompts=1&answer_len=8&examples=16" +
  "&arm=lora+lr=0.003+warmup=0&arm=full+lr=0.001+warmup=0";

const step = (page, button) => page.getByRole("button", { name: button, exact: true }).click();
const at = (page, n) => expect(page.locator("#bar [data-step]")).toHaveText(String(n), { timeout: 60_000 });
const kept = (page) => expect(page.locator("#kept-size")).toContainText("The run is kept", { timeout: 30_000 });

/** The record without times and without the number of the run, by arm and step: the start is measured when there is time. */
async function said(page) {
  const { events } = await exportRecord(page);
  await openDrawer(page, "");
  const plain = events.filter(({ type }) => type !== "done").map(({ ms, run, ...event }) => event);
  const key = ({ type, arm = "", step = 0 }) => `${arm} ${String(step).padStart(4)} ${type}`;
  return plain.toSorted((a, b) => key(a).localeCompare(key(b)));
}

/** Takes two steps of each arm, and waits until they are measured and kept. */
async function twoSteps(page, to) {
  await step(page, "Step");
  await step(page, "Step");
  await at(page, to);
  for (const arm of ["lora", "full"]) {
    await expect(page.locator(`canvas[data-wall="${arm}"]`)).toHaveAttribute("aria-label", new RegExp(`after ${to} steps`), { timeout: 60_000 });
  }
  await kept(page);
  await page.waitForTimeout(2500); // it is written in the background
}

test("a run goes on after a reload, to the last bit @plain", async ({ page, site }) => {
  test.setTimeout(300_000);
  await openPage(page, site, RUN);
  await waitForEngine(page);
  await step(page, "Play");
  await expect(page.locator("html")).toHaveAttribute("data-run", "done", { timeout: 120_000 });
  const whole = await said(page);
  await step(page, "Reset");
  await twoSteps(page, 2);
  await page.reload();
  await waitForEngine(page);
  await expect(page.locator("#kept-text")).toHaveText("A run stopped at step 2 of 6 (LoRA, Full).");
  await step(page, "Go on");
  await at(page, 2);
  await expect(page.locator("#source")).toHaveText("live");
  await step(page, "Play");
  await expect(page.locator("html")).toHaveAttribute("data-run", "done", { timeout: 120_000 });
  expect(await said(page)).toEqual(whole);
});

test("a run that is not wanted is discarded, and a second tab keeps none @plain", async ({ page, site, context }) => {
  test.setTimeout(300_000);
  await openPage(page, site, RUN);
  await waitForEngine(page);
  await twoSteps(page, 2);
  const other = await context.newPage();
  await openPage(other, site, RUN);
  await waitForEngine(other);
  await step(other, "Step");
  await step(other, "Step");
  await at(other, 2);
  await expect(other.locator("#kept-size")).toContainText("Another tab keeps its run", { timeout: 60_000 });
  await other.close();
  await page.reload();
  await waitForEngine(page);
  await step(page, "Discard it");
  await expect(page.locator("#kept-run")).toBeHidden();
  await page.reload();
  await waitForEngine(page);
  await page.waitForTimeout(1000);
  await expect(page.locator("#kept-run")).toBeHidden();
});

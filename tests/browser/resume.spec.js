// A run survives a reload and goes to another tab, and another one leaves it with other settings.
import { SHORT_RUN, at, done, exportRecord, expect, openDrawer, openPage, press, said, test, twoSteps, waitForEngine, wholeThenTwo } from "./helpers.js";

test("a run goes on after a reload, to the last bit @plain", async ({ page, site }) => {
  test.setTimeout(300_000);
  const whole = await wholeThenTwo(page, site);
  await page.reload();
  await waitForEngine(page);
  await expect(page.locator("#kept-text")).toHaveText("A run stopped at step 2 of 6 (LoRA, Full).");
  await press(page, "Go on");
  await at(page, 2);
  await expect(page.locator("#source")).toHaveText("live");
  await press(page, "Play");
  await done(page);
  expect(await said(page)).toEqual(whole);
});

test("a run that is not wanted is discarded @plain", async ({ page, site }) => {
  test.setTimeout(300_000);
  await openPage(page, site, SHORT_RUN);
  await waitForEngine(page);
  await twoSteps(page, 2);
  await page.reload();
  await waitForEngine(page);
  await press(page, "Discard it");
  await expect(page.locator("#kept-run")).toBeHidden();
  await page.reload();
  await waitForEngine(page);
  await page.waitForTimeout(1000);
  await expect(page.locator("#kept-run")).toBeHidden();
});

test("a second tab says that the first trains, and takes its run over @plain", async ({ page, site, context }) => {
  test.setTimeout(300_000);
  await openPage(page, site, SHORT_RUN);
  await waitForEngine(page);
  await twoSteps(page, 2);
  await press(page, "Step"); // not measured: it is written when it is handed over
  await at(page, 3);
  const other = await context.newPage();
  await openPage(other, site, SHORT_RUN);
  await waitForEngine(other);
  await expect(other.locator("#kept-text")).toHaveText("Another tab trains a run (step 2 of 6: LoRA, Full).");
  await press(other, "Take it over");
  await at(other, 3);
  await expect(page.locator("#status")).toHaveText("Another tab has taken this run over; here it is paused.");
  await press(other, "Play");
  await done(other);
  await expect(page.locator("html")).toHaveAttribute("data-run", "paused");
  // It trains on here, too, but what it comes to is not kept.
  await press(page, "Step");
  await at(page, 4);
  await expect(page.locator("#kept-size")).toContainText("Another tab keeps its run", { timeout: 60_000 });
});

test("another run leaves a measured step with other settings, beside the first @plain", async ({ page, site }) => {
  test.setTimeout(300_000);
  await openPage(page, site, SHORT_RUN);
  await waitForEngine(page);
  await press(page, "Play");
  await done(page);
  const first = await exportRecord(page);
  const fork = page.locator("#fork");
  await openDrawer(page, "");
  await expect(fork).toBeHidden(); // nothing has changed
  await page.locator("#history").fill("5");
  await openDrawer(page, "setup");
  const rate = page.locator("#arm-lora-lr");
  await rate.fill("0.0003");
  await rate.press("Tab");
  await openDrawer(page, "");
  await expect(fork).toHaveText("Fork at step 4"); // the last that was measured before
  await fork.click();
  await at(page, 4);
  await press(page, "Play");
  await done(page);
  const { events } = await exportRecord(page);
  await openDrawer(page, "");
  const run = events.find(({ type }) => type === "run");
  expect(run.fork.step).toBe(4);
  expect(run.fork.settings.arms[0].lr).toBeCloseTo(0.003);
  expect(run.settings.arms[0].lr).toBeCloseTo(0.0003);
  const losses = (events, arm) => events.filter((e) => e.type === "step" && e.arm === arm).map(({ loss }) => loss);
  expect(losses(events, "full")).toEqual(losses(first.events, "full"));
  const [before, after] = [losses(first.events, "lora"), losses(events, "lora")];
  expect(after.slice(0, 5)).toEqual(before.slice(0, 5)); // the fifth loss is that before the first changed update
  expect(after[5]).not.toBe(before[5]);
  // Both are in the table of runs, the first one's arms over the charts.
  await openDrawer(page, "findings");
  await page.locator("#runs > summary").click();
  await expect(page.locator("#runs-table tbody tr")).toHaveCount(6); // with the recorded run
  await expect(page.locator("#runs-table tbody input:checked:not(:disabled)")).toHaveCount(2);
  // After a reload it is a fork still, and lies over no run that it did not leave.
  await page.waitForTimeout(1000); // it is written in the background
  await page.reload();
  await waitForEngine(page);
  await press(page, "Go on");
  await at(page, 6);
  const again = await exportRecord(page);
  expect(again.events.find(({ type }) => type === "run").fork).toEqual(run.fork);
  await openDrawer(page, "findings");
  await page.locator("#runs > summary").click();
  await expect(page.locator("#runs-table tbody tr").first()).toBeVisible();
  await expect(page.locator("#runs-table tbody input:checked:not(:disabled)")).toHaveCount(0);
});

// A visitor presses Play: the arms train on Atlas, for real, and everything the page shows is measured.
import { ask, expect, exportRecord, openDrawer, openPage, screenshots, test, waitForEngine } from "./helpers.js";

const STEPS = 20;
// Small enough for an adapter in software; the higher rate makes 20 steps show.
const SETTINGS = {
  steps: STEPS, batch: 4, max_len: 48, measure_every: 10, probes: 20, asked: 4, shift_prompts: 2, answer_len: 24, samples: 8,
  // Four batches are all the examples, so that the first four losses and the last four are on the same ones.
  examples: 16,
};
const ARMS = { lora: "lora lr=0.003", full: "full lr=0.0005", "full-2": "full lr=0.0005 kl=1 label=near" };

async function trainArms(page, site, testInfo, engine) {
  const hash = new URLSearchParams({ v: "2", engine, ...SETTINGS });
  for (const arm of Object.values(ARMS)) hash.append("arm", arm);
  await openPage(page, site, `#${hash}`);
  expect(await waitForEngine(page)).toBe(engine);
  await page.getByRole("button", { name: "Play", exact: true }).click();
  await expect(page.locator("html")).toHaveAttribute("data-run", "running", { timeout: 600_000 });
  await screenshots(page, testInfo, `live-${engine}-running`);
  await expect(page.locator("html")).toHaveAttribute("data-run", "done", { timeout: 900_000 });
  await screenshots(page, testInfo, `live-${engine}-done`);
  return exportRecord(page);
}

function check(record) {
  const first = (type) => record.events.findIndex((event) => event.type === type);
  expect(first("step"), "no step waits for a measure").toBeLessThan(first("measure"));
  const of = (type, arm) => record.events.filter((event) => event.type === type && event.arm === arm);
  for (const arm of Object.keys(ARMS)) {
    const losses = of("step", arm).map((step) => step.loss);
    const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(losses).toHaveLength(STEPS);
    expect(mean(losses.slice(-4)), `${arm}: training loss`).toBeLessThan(mean(losses.slice(0, 4)));
    const measures = of("measure", arm);
    expect(measures.map((measure) => measure.step)).toEqual([0, 10, 20]);
    expect(measures[0].shift.kl, `${arm}: KL before the first step`).toBe(0);
    expect(measures[0].shift.unshifted).toBe(measures[0].shift.n);
    expect(measures[2].shift.kl, `${arm}: KL after training`).toBeGreaterThan(0);
    expect(measures[2].heldout_loss).toBeLessThan(measures[0].heldout_loss);
    expect(measures[0].cells).toHaveLength(SETTINGS.probes);
    const kept = measures[0].recall.find((row) => row.split === "kept" && row.form === "cloze");
    expect(kept.correct / kept.n, `${arm}: Atlas knows its facts`).toBeGreaterThan(0.9);
  }
  const drift = (arm) => of("measure", arm)[2].shift.kl;
  expect(drift("full-2"), "the penalty keeps an arm near the base").toBeLessThan(drift("full"));
}

for (const engine of ["webgpu", "cpu"]) {
  test(`Play trains three arms on Atlas, on ${engine}${engine === "webgpu" ? " @webgpu" : ""}`, async ({ page, site }, testInfo) => {
    test.setTimeout(1_800_000);
    check(await trainArms(page, site, testInfo, engine));
    await openDrawer(page, "");
    for (const arm of Object.keys(ARMS)) {
      const wall = page.locator(`canvas[data-wall="${arm}"]`);
      await expect(wall).toHaveAttribute("data-counts", /k\d+/);
      await expect(page.locator(`[data-shift="${arm}"] .token`).first()).toBeVisible();
    }
    await ask(page, "What is the capital of France?");
    await expect(page.locator('[data-answer="base"]')).toContainText("Paris", { timeout: 600_000 });
  });
}

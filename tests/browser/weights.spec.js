// What happened in the weights: intruder dimensions, found between two measures and scaled down live.
import { expect, exportRecord, openDrawer, openPage, screenshots, test, waitForEngine } from "./helpers.js";

const SETTINGS = { steps: 4, batch: 4, max_len: 48, measure_every: 4, probes: 24, asked: 2, shift_prompts: 2, answer_len: 16, samples: 4, examples: 8 };

test("intruders are looked for where the arm stands, and scaled down", async ({ page, site }, testInfo) => {
  const engine = testInfo.project.name === "webgpu" ? "webgpu" : "cpu";
  test.setTimeout(900_000);
  const hash = new URLSearchParams({ v: "2", engine, ...SETTINGS });
  for (const arm of ["lora r=8 lr=0.05 warmup=0", "full lr=1e-5 warmup=0"]) hash.append("arm", arm);
  await openPage(page, site, `#${hash}`);
  expect(await waitForEngine(page)).toBe(engine);
  await page.getByRole("button", { name: "Play", exact: true }).click();
  await expect(page.locator("html")).toHaveAttribute("data-run", "done", { timeout: 300_000 });

  // Measured at the end: counts in the table, the spectra, and no need to look.
  await openDrawer(page, "weights");
  const [lora, full] = ["lora", "full"].map((arm) => page.locator(`[data-strength="${arm}"]`));
  await expect(lora.locator("[data-found]")).toHaveText(/^[1-9]\d* intruders?$/);
  await expect(full.locator("[data-found]")).toHaveText("0 intruders");
  await expect(full.locator('[data-dose="intruders"]')).toBeDisabled();
  await expect(lora.locator("[data-look]")).toBeHidden();
  await expect(page.locator('[data-weights="lora"] .intruders', { hasText: "⊥" }).first()).toBeVisible();
  const spectrum = page.locator('[data-figure="spectrum"]');
  await expect(spectrum.locator("option")).toHaveCount(28);
  await expect(spectrum.locator("svg path title", { hasText: "an intruder" }).first()).toBeAttached();
  await spectrum.locator("select").selectOption({ label: "Layer 2, down" });
  await expect(spectrum.locator("figcaption")).toContainText("Layer 2, down");
  await spectrum.locator("summary").click();
  await expect(spectrum.locator("tbody tr")).toHaveCount(10);

  const dose = async (value) => {
    await openDrawer(page, "weights");
    await lora.locator('[data-dose="intruders"]').fill(value);
    await openDrawer(page, "");
    const text = value === "1" ? "LoRA" : `LoRA, intruders × ${Number(value).toFixed(2)}`;
    await expect(page.locator('[data-wall-of="lora"] h3')).toHaveText(text, { timeout: 300_000 });
    const { events } = await exportRecord(page);
    return events.filter(({ type }) => type === "strength").at(-1);
  };
  const half = await dose("0.5");
  const { events } = await exportRecord(page);
  const trained = events.filter(({ type, arm }) => type === "measure" && arm === "lora").at(-1);
  expect([half.strength, half.intruders]).toEqual([1, 0.5]);
  expect(half.heldout_loss).not.toBe(trained.heldout_loss);
  expect(trained.intruders).toBeGreaterThan(0);
  await openDrawer(page, "weights");
  await expect(page.locator('[data-figure="strength-loss"] .axis-name', { hasText: "share of each intruder" })).toBeVisible();
  await screenshots(page, testInfo, "weights");
  const whole = await dose("1");
  expect([whole.heldout_loss, whole.kl, whole.measure.logprobs]).toEqual([trained.heldout_loss, trained.shift.kl, trained.logprobs]);
});

test("between two measures a look finds them, and a step ends it @plain", async ({ page, site }) => {
  test.setTimeout(900_000);
  const hash = new URLSearchParams({ v: "2", engine: "cpu", ...SETTINGS });
  hash.append("arm", "lora r=8 lr=0.05 warmup=0");
  await openPage(page, site, `#${hash}`);
  await waitForEngine(page);
  const step = async (n) => {
    await page.getByRole("button", { name: "Step", exact: true }).click();
    await expect(page.locator("html")).toHaveAttribute("data-run", "paused", { timeout: 120_000 });
    await expect(page.locator("#bar")).toContainText(`step ${n}`);
  };
  await step(1);
  await openDrawer(page, "weights");
  const [look, found] = ["[data-look]", "[data-found]"].map((part) => page.locator(`[data-strength="lora"] ${part}`));
  await expect(page.locator('[data-dose="intruders"]').first()).toBeDisabled();
  await look.click();
  await expect(found).toHaveText(/^\d+ intruders?$/, { timeout: 60_000 });
  await expect(look).toBeHidden();
  await step(2);
  await expect(found).toHaveText("");
  await expect(look).toBeEnabled();
  // It takes a while, and can be left.
  await look.click();
  await look.click();
  await expect(look).toHaveText("Find intruders");
});

// The bench page: a complete report with real figures, on the CPU engine.
import { expect, horizontalOverflow, screenshots, test } from "./helpers.js";

/** Every number in a report, with the path to it. */
function numbers(value, path = "") {
  if (typeof value === "number") return [[path, value]];
  if (value === null || typeof value !== "object") return [];
  return Object.entries(value).flatMap(([key, inner]) => numbers(inner, `${path}.${key}`));
}

/** Runs the CPU engine's measurement, and returns its report. */
async function measure(page, site, model, settings) {
  await page.goto(`${site.url}bench.html`);
  await page.locator("#bench-backend").selectOption("cpu");
  await page.locator("#bench-model").selectOption(model);
  for (const [name, value] of Object.entries(settings)) {
    await page.locator(`#bench-${name}`).fill(String(value));
  }
  await page.getByRole("button", { name: "Run" }).click();
  await expect(page.locator("html")).toHaveAttribute("data-bench", "done", { timeout: 120_000 });
  const [report, ...more] = JSON.parse(await page.locator("#bench-json").inputValue());
  expect(more).toEqual([]);
  return report;
}

test("the bench page measures the CPU engine", async ({ page, site }, testInfo) => {
  const report = await measure(page, site, "atlas", { batch: 2, time: 32, repeat: 2 });
  expect(report).toMatchObject({ adapter: { backend: "cpu", software: true }, batch: 2, time: 32, rank: 8 });
  for (const key of ["forward", "lora_step", "full_step", "generation", "best_gflop_per_s", "products",
    "to_first_step_ms", "wasm.bytes", "wasm.gzip", "wasm.brotli"]) {
    expect(report, "the report's fields").toHaveProperty(key);
  }
  // Parts that Rust flattens are objects here too.
  expect(report.generation).toMatchObject({ new_tokens: 16, ms: expect.any(Number) });
  expect(report.products[0]).toMatchObject({ layout: "Nt", m: 64, variant: "candle" });
  for (const [path, value] of numbers(report)) {
    if (path.endsWith(".lora")) continue; // terms that LoRA adds to a product, none on this engine
    expect(Number.isFinite(value) && value > 0, `${path} is ${value}`).toBe(true);
  }
  await expect(page.getByRole("row", { name: /LoRA step/ })).toBeVisible();
  expect(await horizontalOverflow(page, 360)).toBe(0);
  await screenshots(page, testInfo, "bench");
});

test("the bench page measures a larger model's shape", async ({ page, site }) => {
  const report = await measure(page, site, "smollm2", { layers: 1, batch: 1, time: 8, repeat: 1 });
  expect(report.model).toMatchObject({ layers: 1, hidden: 576, vocabulary: 49_152, parameters: 31_852_224 });
  expect(report.lora_to_full).toBeLessThan(1);
  for (const loss of report.losses) expect(loss).toBeCloseTo(Math.log(49_152), 0);
});

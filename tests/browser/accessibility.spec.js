// What axe-core finds wrong with the page: nothing, with six arms, in every state, width and scheme.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createRequire } from "node:module";
import { LITTLE_ASKED, expect, openDrawer, openPage, showFigure, showSaid, test, waitForEngine } from "./helpers.js";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const ARMS = ["lora r=1", "lora r=4", "lora r=64", "full", "full kl=0.1", "full kl=1"];

async function expectNothingFound(page, state) {
  await page.evaluate(AXE); // the page's policy lets no other script in
  for (const [width, colorScheme] of [[1280, "light"], [390, "light"], [1280, "dark"], [390, "dark"]]) {
    await page.setViewportSize({ width, height: 720 });
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await expectNone(page, `${state}, ${width} px, ${colorScheme}`);
  }
  await page.setViewportSize({ width: 1280, height: 720 });
}

async function expectNone(page, state) {
  const { violations } = await page.evaluate(() => window.axe.run());
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`);
  expect(found, state).toEqual([]);
}

/** Every drawer, chart and kind of answer, in the light. */
async function expectNothingAnywhere(page, state) {
  await page.evaluate(AXE); // the page's policy lets no other script in
  const drawers = await page.locator("#dock [data-open]").evaluateAll((buttons) => buttons.map((button) => button.dataset.open));
  for (const name of drawers) {
    await openDrawer(page, name);
    await expectNone(page, `${state}: ${name}`);
  }
  const charts = await page.locator("#figure-choice option").evaluateAll((options) => options.map((option) => option.value));
  for (const name of charts) {
    await showFigure(page, name);
    await expectNone(page, `${state}: ${name}`);
  }
  for (const name of ["fact", "ask", "held-out"]) {
    await showSaid(page, name);
    await expectNone(page, `${state}: ${name}`);
  }
}

test("axe-core finds nothing, before a run and after one of six arms @plain", async ({ page, site }) => {
  test.setTimeout(600_000);
  const link = new URLSearchParams(`v=2&engine=cpu&steps=4&${LITTLE_ASKED}&examples=8&mute=lora`);
  for (const arm of ARMS) link.append("arm", arm);
  await openPage(page, site, `#${link}`);
  await waitForEngine(page);
  await expectNothingFound(page, "recorded");
  await expectNothingAnywhere(page, "recorded");
  await page.getByRole("button", { name: "Play", exact: true }).click();
  await expect(page.locator("html")).toHaveAttribute("data-run", "done", { timeout: 120_000 });
  for (const details of await page.locator("details").all()) await details.evaluate((node) => (node.open = true));
  await expect(page.locator('[data-figure="loss"] tbody tr').first()).toBeAttached();
  const model = new URL("../../models/atlas/", import.meta.url);
  const files = ["config.json", "tokenizer.json", "model.safetensors"].map((name) => fileURLToPath(new URL(name, model)));
  await page.locator("#model-files").setInputFiles(files);
  await expect(page.locator("#model-ways tbody tr")).toHaveCount(2, { timeout: 60_000 });
  await expectNothingFound(page, "trained");
  await expectNothingAnywhere(page, "trained");
  await page.getByRole("button", { name: "Help: keyboard and reading guide" }).click();
  await expectNone(page, "help");
});

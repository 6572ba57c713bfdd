// What axe-core finds wrong with the page: nothing, with six arms, in every state, width and scheme.
import { fileURLToPath } from "node:url";
import { createRequire } from "node:module";
import { expect, openPage, test, waitForEngine } from "./helpers.js";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const SETTINGS = { steps: 4, batch: 2, max_len: 32, measure_every: 2, probes: 20, asked: 2, shift_prompts: 1, answer_len: 8 };
const ARMS = ["lora r=1", "lora r=4", "lora r=64", "full", "full kl=0.1", "full kl=1"];

async function expectNothingFound(page) {
  await page.addScriptTag({ path: AXE });
  for (const [width, colorScheme] of [[1280, "light"], [390, "light"], [1280, "dark"], [390, "dark"]]) {
    await page.setViewportSize({ width, height: 720 });
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const { violations } = await page.evaluate(() => window.axe.run());
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`);
    expect(found, `${width} px, ${colorScheme}`).toEqual([]);
  }
}

test("axe-core finds nothing, before a run and after one of six arms @plain", async ({ page, site }) => {
  const link = new URLSearchParams({ v: "2", engine: "cpu", examples: 8, mute: "lora", ...SETTINGS });
  for (const arm of ARMS) link.append("arm", arm);
  await openPage(page, site, `#${link}`);
  await waitForEngine(page);
  await expectNothingFound(page);
  await page.getByRole("button", { name: "Play", exact: true }).click();
  await expect(page.locator("html")).toHaveAttribute("data-run", "done", { timeout: 120_000 });
  for (const details of await page.locator("details").all()) await details.evaluate((node) => (node.open = true));
  await expect(page.locator('[data-figure="loss"] tbody tr').first()).toBeAttached();
  const model = new URL("../../models/atlas/", import.meta.url);
  const files = ["config.json", "tokenizer.json", "model.safetensors"].map((name) => fileURLToPath(new URL(name, model)));
  await page.locator("#model-files").setInputFiles(files);
  await expect(page.locator("#model-ways tbody tr")).toHaveCount(2, { timeout: 60_000 });
  await expectNothingFound(page);
});

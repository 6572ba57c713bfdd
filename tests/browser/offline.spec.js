// Once opened with a network, the page opens and trains without one.
import { fileURLToPath } from "node:url";
import { serveStatic } from "../../scripts/static-server.mjs";
import { expect, openDrawer, openPage, test, waitForEngine } from "./helpers.js";

test.use({ serviceWorkers: "allow" });

test("opens and trains without a network @plain", async ({ page, errors }) => {
  const root = fileURLToPath(new URL("../../dist", import.meta.url));
  const site = await serveStatic({ root, base: "/some/path/" });
  await openPage(page, site);
  await waitForEngine(page);
  await expect(page.locator("html")).toHaveAttribute("data-offline", "ready", { timeout: 60_000 });
  await expect(page.locator("#offline")).toContainText("kept in this browser");
  await site.close();

  await openPage(page, site, "#v=2&steps=2&measure_every=2&probes=20&asked=0&shift_prompts=1&answer_len=4");
  await page.reload(); // an address that differs by its hash alone would not be loaded again
  expect(await waitForEngine(page)).toBe("cpu");
  await openDrawer(page, "data");
  const csv = { name: "tips.csv", mimeType: "text/csv", buffer: Buffer.from("prompt,completion\na,b\n") };
  await page.locator("#instructions-file").setInputFiles(csv); // its reader comes with the first such file
  await expect(page.locator("#instructions-read")).toContainText("CSV, prompt and completion form: 1 row.");
  await page.getByRole("button", { name: "Play", exact: true }).click();
  await expect(page.locator("html")).toHaveAttribute("data-run", "done", { timeout: 120_000 });
  errors.length = 0; // that nothing answers is what this is about
});

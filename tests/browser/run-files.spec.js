// A run leaves the page with its adapters as one zip, and comes back as both.
import { openZip, writeZip } from "../../www/js/models/zip.js";
import { LITTLE_ASKED, downloaded, expect, exportRecord, openDrawer, openPage, screenshots, test, waitForEngine } from "./helpers.js";

const RUN =
  `#v=2&engine=cpu&steps=2&${LITTLE_ASKED}&examples=8` +
  "&arm=lora+r=4+lr=0.02+warmup=0&arm=lora+id=wide+r=8+lr=0.02+warmup=0&arm=full+lr=0.001+warmup=0";

const zipFile = (name, bytes) => ({ name, mimeType: "application/zip", buffer: Buffer.from(bytes) });
const source = (page) => page.locator("#source");

/** The files of a zip by name. */
async function unpacked({ name, bytes }) {
  const entries = await openZip(name, new Blob([bytes]));
  return Object.fromEntries(await Promise.all(entries.map(async ({ path, read }) => [path, Buffer.from(await (await read()).arrayBuffer())])));
}

test("a run leaves with its adapters and comes back @plain", async ({ page, site }, testInfo) => {
  test.setTimeout(300_000);
  await openPage(page, site, RUN);
  await waitForEngine(page);
  await openDrawer(page, "tools");
  await expect(page.locator("#export-run")).toBeDisabled();
  await openDrawer(page, "");
  await page.getByRole("button", { name: "Play", exact: true }).click();
  await expect(page.locator("html")).toHaveAttribute("data-run", "done", { timeout: 120_000 });
  const record = await exportRecord(page);
  await screenshots(page, testInfo, "save-run");
  const saved = await downloaded(page, "#export-run");
  expect(saved.name).toBe("driftscope-run-seed1-step2.zip");
  const files = await unpacked(saved);
  const adapter = (arm) => [`${arm}/adapter_config.json`, `${arm}/adapter_model.safetensors`];
  expect(Object.keys(files).sort()).toEqual([...adapter("lora"), "run.json", ...adapter("wide")].sort());
  expect(JSON.parse(files["run.json"].toString("utf8"))).toEqual(record);
  // Each is the arm's own.
  const own = await unpacked(await downloaded(page, '[data-save="wide"]'));
  for (const [name, bytes] of Object.entries(own)) expect(files[`wide/${name}`].equals(bytes), name).toBe(true);

  await page.reload();
  await waitForEngine(page);
  await openDrawer(page, "tools");
  await page.locator("#import-json").setInputFiles([zipFile(saved.name, saved.bytes)]);
  await expect(source(page)).toHaveAttribute("data-source", "imported");
  await expect(page.locator("#adapters-list li")).toHaveCount(2);
  expect(await exportRecord(page)).toEqual(record);
  await openDrawer(page, "models");
  await page.getByRole("button", { name: "Add wide as an arm" }).click();
  await openDrawer(page, "setup");
  await expect(page.locator('[data-arm-card="wide-2"] [data-setting="r"]')).toHaveValue("8");
});

test("a zip that holds no run is refused, and nothing changes @plain", async ({ page, site }) => {
  await openPage(page, site, RUN);
  await waitForEngine(page);
  const alert = page.locator("#alerts .alert");
  const refuse = async (entries, text) => {
    const zip = await writeZip(entries.map(([name, content]) => ({ name, blob: new Blob([content]) })));
    await page.locator("#import-json").setInputFiles([zipFile("mine.zip", await zip.arrayBuffer())]);
    await expect(alert).toContainText(text);
    await alert.getByRole("button").click();
  };
  await refuse([["adapter_config.json", "{}"], ["adapter_model.safetensors", ""]], "mine.zip: there is no run.json in it: an adapter's zip is opened under Model");
  await refuse([["run.json", "{"], ["lora/adapter_config.json", "{}"]], "mine.zip: this file is not JSON");
  await page.locator("#import-json").setInputFiles([zipFile("mine.zip", "<img src=x onerror=alert(1)>")]);
  await expect(alert).toContainText("mine.zip is damaged or no zip file");
  await expect(source(page)).toHaveAttribute("data-source", "recorded");
  await expect(page.locator("#adapters-list li")).toHaveCount(0);
});

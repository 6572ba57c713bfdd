// What a link, a run's file or an adapter says is text, whatever it says: it never becomes part of the page, and never breaks it.
import { SHORT_RUN, done, downloaded, exportRecord, expect, openDrawer, openPage, press, test, waitForEngine } from "./helpers.js";

const MARKUP = `</script><img src="x" onerror="window.hacked = 1"><script>window.hacked = 1</script>`;
const json = (name, value) => ({ name, mimeType: "application/json", buffer: Buffer.from(typeof value === "string" ? value : JSON.stringify(value)) });

/** Every text of a record that is a reader's, and no name or number of the format, made into markup. */
const FREE = ["label", "title", "subject", "object", "cloze", "asked", "question", "text", "answer", "model", "engine", "instructions"];
function poisoned(value, key = "") {
  if (typeof value === "string") return FREE.includes(key) ? MARKUP : value;
  if (Array.isArray(value)) return value.map((entry) => poisoned(entry, key));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, poisoned(entry, name)]));
}

/** Draws everything that shows words. */
async function lookAround(page) {
  for (const drawer of ["setup", "data", "probes", "models", "findings", "weights", "tools", "machine"]) {
    if (await page.locator(`#dock [data-open="${drawer}"]`).count()) await openDrawer(page, drawer);
  }
  await openDrawer(page, "");
  const figures = await page.locator("#figure-choice option").evaluateAll((options) => options.map(({ value }) => value));
  for (const figure of figures) await page.locator("#figure-choice").selectOption(figure);
  expect(await page.evaluate(() => [window.hacked, document.querySelectorAll('img[src="x"]').length])).toEqual([undefined, 0]);
}

test("markup in a link and in a run's file stays text @plain", async ({ page, site }) => {
  test.setTimeout(300_000);
  const arm = encodeURIComponent(`lora label="${MARKUP.replaceAll('"', "'")}" lr=0.003 warmup=0`);
  await openPage(page, site, `${SHORT_RUN.replace(/&arm=.*/, "")}&arm=${arm}&set=${encodeURIComponent(MARKUP)}&hide=${encodeURIComponent(MARKUP)}`);
  await waitForEngine(page);
  await press(page, "Play");
  await done(page);
  await lookAround(page);
  const record = poisoned(await exportRecord(page));
  await openDrawer(page, "tools");
  await page.locator("#import-json").setInputFiles(json(`${MARKUP.replaceAll("/", "")}.json`, record));
  await expect(page.locator("#source")).toHaveAttribute("data-source", "imported");
  await lookAround(page);
  const { bytes } = await downloaded(page, "#export-json");
  expect(JSON.parse(bytes).events[0].facts[0].subject).toBe(MARKUP);
});

test("what is no run's file is refused, and the stage stays @plain", async ({ page, site }) => {
  await openPage(page, site);
  await waitForEngine(page);
  const shown = await page.locator("#headline").textContent();
  const record = await page.evaluate(async () => (await fetch("examples/f4.json")).json());
  const run = record.events.find(({ type }) => type === "run");
  const other = (change) => ({ ...record, events: [{ ...run, ...change }] });
  const files = [
    "",
    "null",
    "[]",
    "{".repeat(100_000),
    `${"[".repeat(100_000)}${"]".repeat(100_000)}`,
    { ...record, version: 99 },
    { ...record, events: 3 },
    { ...record, events: [null, 3, { type: "step" }, { type: "__proto__" }] },
    other({ settings: { arms: [] } }),
    other({ settings: { ...run.settings, arms: [{ id: "__proto__" }] } }),
    other({ facts: "many" }),
    `{"__proto__": {"polluted": 1}, "format": "driftscope-run", "version": 2, "engine": "cpu", "events": []}`,
  ];
  await openDrawer(page, "tools");
  for (const [i, file] of files.entries()) {
    await page.locator("#import-json").setInputFiles(json(`${i}.json`, file));
    await expect(page.locator('#alerts [data-error="import"]').first(), `file ${i}`).toBeVisible();
    await page.locator("#alerts button", { hasText: "Dismiss" }).first().click();
    await expect(page.locator("#source"), `file ${i}`).toHaveAttribute("data-source", "recorded");
  }
  expect(await page.evaluate(() => ({}).polluted)).toBe(undefined);
  expect(await page.locator("#headline").textContent()).toBe(shown);
});

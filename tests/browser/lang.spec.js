// The page in two languages: the markup says what the catalogue says, German is German throughout, numbers too.
import { readFileSync } from "node:fs";
import { markedText } from "../../www/js/ui/text.js";
import { expect, horizontalOverflow, openDrawer, openPage, screenshots, test, waitForEngine } from "./helpers.js";

const english = JSON.parse(readFileSync(new URL("../../www/lang/en.json", import.meta.url), "utf8"));
const german = JSON.parse(readFileSync(new URL("../../www/lang/de.json", import.meta.url), "utf8"));

for (const address of ["", "bench.html"]) {
  test(`the markup's English is the catalogue's: ${address || "the stage"} @plain`, async ({ browser, site }) => {
    // Without scripts nothing of it has changed yet.
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    await openPage(page, site, address);
    const texts = await page.evaluate((source) => {
      const markedText = new Function(`return ${source}`)();
      return [...document.querySelectorAll("*")].flatMap((element) =>
        [...element.attributes].flatMap(({ name, value }) => {
          if (name === "data-t") return [[value, markedText(element)]];
          if (name.startsWith("data-t-")) return [[value, element.getAttribute(name.slice("data-t-".length))]];
          return [];
        }),
      );
    }, markedText.toString());
    await context.close();
    expect(texts.length).toBeGreaterThan(address ? 20 : 200);
    expect(Object.fromEntries(texts)).toEqual(Object.fromEntries(texts.map(([name]) => [name, english[name]])));
  });
}

/** Texts that are English in the catalogue, and other words in German, and stand on the page nevertheless. */
const leftInEnglish = (page) =>
  page.evaluate((names) => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) {
      const text = walker.currentNode.textContent.replace(/\s+/g, " ").trim();
      if (names.includes(text)) found.push(text);
    }
    return found;
  }, Object.entries(english).filter(([name, text]) => typeof text === "string" && text.length > 12 && german[name] !== text).map(([, text]) => text));

test("in German every word of the page is German @plain", async ({ page, site }, testInfo) => {
  await openPage(page, site, "?lang=de");
  await waitForEngine(page);
  await expect(page.locator("html")).toHaveAttribute("lang", "de");
  await expect(page.getByRole("button", { name: german["page.reset"], exact: true })).toBeVisible();
  await expect(page.locator('[data-figure="recall"] .legend')).toContainText(/96,1\s%/);
  await expect(page.locator("#lesson-title")).toHaveText("Vergisst ein Modell durch Feintuning?");
  expect(await horizontalOverflow(page, 360)).toBe(0);
  await openDrawer(page, "setup");
  await screenshots(page, testInfo, "german");
  expect(await leftInEnglish(page)).toEqual([]);
  await expect(page.locator("#engine-reason")).toHaveText(german["reason.no-webgpu"]);
  await openDrawer(page, "machine");
  await page.getByRole("link", { name: german["page.machine.measure-how-fast-this"] }).click();
  await expect(page).toHaveTitle(german["bench.title"]);
  await page.getByLabel(german["bench.field.batch"]).fill("1");
  expect(await leftInEnglish(page)).toEqual([]);
});

test("what an experiment shows is German, and what the engine says itself is marked as English @plain", async ({ page, site }, testInfo) => {
  await openPage(page, site, "?lang=de");
  await waitForEngine(page);
  await openDrawer(page, "findings");
  await expect(page.locator("#summary-verdict")).toHaveText(/^Von \d+ Vergleichen stützen die Behauptung: /);
  await expect(page.locator("#comparisons > li").first()).toContainText(/Bei .*KL zur Basis|Bei .*Fakten/);
  await expect(page.locator("#summary-table tbody th").first()).toHaveText("vor dem Feintuning");
  await screenshots(page, testInfo, "german-findings");
  // A model that can't be one: the engine's own words.
  await openDrawer(page, "models");
  await page.locator("#model-files").setInputFiles([{ name: "x.gguf", mimeType: "application/octet-stream", buffer: Buffer.from("GGUF") }]);
  const alert = page.locator("#alerts .alert");
  await expect(alert).toContainText("Die Engine meldet auf Englisch: the GGUF file");
  await expect(alert.locator('[lang="en"]')).toHaveText(/^the GGUF file: header: the file ends inside it/);
});

test("the browser's language is taken where it is here, English otherwise @plain", async ({ browser, site }) => {
  for (const [locale, lang] of [["de-AT", "de"], ["fr-FR", "en"]]) {
    const context = await browser.newContext({ locale, serviceWorkers: "block" });
    const page = await context.newPage();
    await openPage(page, site);
    await expect(page.locator("html")).toHaveAttribute("lang", lang);
    await context.close();
  }
});

// The page as a whole: it loads, finds something to compute with, and fits a narrow window.
import { expect, exportRecord, horizontalOverflow, openDrawer, openPage, screenshots, showFigure, test, waitForEngine } from "./helpers.js";

test("loads without errors and chooses an engine", async ({ page, site }, testInfo) => {
  await openPage(page, site);
  const engine = await waitForEngine(page);
  if (testInfo.project.name === "plain") expect(engine).not.toBe("webgpu");
  await screenshots(page, testInfo, "start");
});

for (const tag of ["en-US@posix", "", undefined]) {
  test(`no language tag stops the page: ${JSON.stringify(tag)} @plain`, async ({ page, site }) => {
    await page.addInitScript((value) => {
      Object.defineProperty(Navigator.prototype, "language", { get: () => value, configurable: true });
    }, tag);
    await openPage(page, site);
    await waitForEngine(page);
    await expect(page.locator('[data-figure="recall"] canvas').first()).toBeVisible();
  });
}

test("fits a window of 360 pixels", async ({ page, site }) => {
  await openPage(page, site);
  await waitForEngine(page);
  expect(await horizontalOverflow(page, 360)).toBe(0);
});

test("a recorded finding shows its comparisons, and the switch filters them", async ({ page, site }, testInfo) => {
  await openPage(page, site);
  await waitForEngine(page);
  await openDrawer(page, "findings");
  await expect(page.locator("#finding-cards > li")).toHaveCount(14);
  await page.getByRole("button", { name: /Show recorded\s+F1/ }).click();
  await expect(page.locator("#summary-source")).toHaveText("recorded");
  await expect(page.locator('[data-finding="f1"]')).toHaveClass(/is-shown/);
  const sentences = page.locator("#comparisons > li");
  const rows = page.locator("#summary-table tbody tr");
  const shown = [];
  for (const [label, sentence] of [
    ["same rate", /^At same rate/],
    ["best rate", /^At best rate/],
    ["equal held-out loss", /^At equal held-out loss/],
  ]) {
    await page.locator("#fairness label", { hasText: label }).click(); // the radio lies under it
    await expect(page.getByRole("radio", { name: label })).toBeChecked();
    await expect(sentences.first()).toBeVisible();
    for (const item of await sentences.all()) {
      await expect(item.locator(".reading")).toHaveText(/claim|no difference|one seed/);
      const words = await item.locator("p").evaluate((node) => node.lastChild.textContent.trim());
      expect(words).toMatch(sentence);
      shown.push(words);
    }
    await expect(rows).toHaveCount(3); // the base and both arms
  }
  expect(new Set(shown).size, "each way has sentences of its own").toBe(shown.length);
  for (const name of ["trade-off", "drift"]) {
    await showFigure(page, name);
    const figure = page.locator(`[data-figure="${name}"]`);
    await expect(figure.locator("svg path:has(title)").nth(1), "the arms' marks").toBeVisible();
    await figure.locator("summary").click();
    await expect(figure.locator("tbody tr").first()).toBeVisible();
  }
  await openDrawer(page, "findings");
  await page.locator("#fairness label", { hasText: "same rate" }).click();
  await expect(page.locator("#fairness-help")).toContainText("Off the best rate of the recorded sweep: LoRA 3.3 ×, Full 33.3 ×");
  expect(await horizontalOverflow(page, 360)).toBe(0);
  await screenshots(page, testInfo, "finding");
});

test("figures alone leave the run that is shown, which lands among the recorded ones @plain", async ({ page, site }, testInfo) => {
  await openPage(page, site);
  await waitForEngine(page);
  const own = await exportRecord(page);
  own.events = own.events.filter(({ type }) => type !== "summary");
  await page.locator("#import-json").setInputFiles({ name: "own.json", mimeType: "application/json", buffer: Buffer.from(JSON.stringify(own)) });
  await expect(page.locator("#headline")).toContainText("Off the best rate");
  const headline = await page.locator("#headline").textContent();
  await openDrawer(page, "findings");
  await page.getByRole("button", { name: /Show recorded\s+Keepers$/ }).click();
  await expect(page.locator("#summary-verdict")).toContainText("After Holm's correction");
  await expect(page.locator("#headline")).toHaveText(headline);
  await showFigure(page, "trade-off");
  await page.locator("#points-of label", { hasText: "the experiment" }).click();
  const figure = page.locator('[data-figure="trade-off"]');
  await expect(figure.locator("figcaption")).toContainText("Area under each stepped frontier");
  expect(await figure.locator(".curve").count()).toBe(6); // as many as arms
  const marks = figure.locator("path", { has: page.locator("title", { hasText: "the run shown" }) });
  await expect(marks.first()).toBeVisible();
  expect(await marks.first().getAttribute("stroke")).toBe("var(--ink)");
  await showFigure(page, "drift");
  await expect(page.locator('[data-figure="drift"] figcaption')).toContainText("KL(base ‖ tuned) on the new task: R²");
  await openDrawer(page, "findings");
  await page.getByRole("button", { name: /Show recorded\s+Sweep/ }).click();
  await showFigure(page, "rates");
  const rates = page.locator('[data-figure="rates"]');
  await expect(rates.locator("figcaption")).toContainText("LoRA's best rate is 7.1 times");
  await expect(rates.locator("svg path:has(title)")).toHaveCount(36); // two arms, three seeds, six rates
  await screenshots(page, testInfo, "rates");
});

test("while something trains a view gets higher and not lower, unless a reader folds it up", async ({ page, site }) => {
  await openPage(page, site);
  await waitForEngine(page);
  await openDrawer(page, "about");
  const heights = await page.evaluate(async () => {
    const { addView, setBusy } = await import(new URL("js/ui/frame.js", document.baseURI).href);
    const view = document.createElement("figure");
    const make = (name, ...children) => {
      const element = document.createElement(name);
      element.append(...children);
      return element;
    };
    const more = make("details", make("summary", "more"), make("p", "words"));
    more.open = true;
    view.append(make("div"), more);
    document.querySelector("#about").append(view);
    addView(view, () => {});
    const resized = async (height) => {
      view.firstChild.style.height = `${height}px`;
      for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame);
      return view.offsetHeight;
    };
    const before = await resized(100);
    setBusy(true);
    const [higher, lower] = [await resized(300), await resized(50)];
    view.querySelector("details").open = false;
    await new Promise((resolve) => view.addEventListener("toggle", resolve, { capture: true, once: true }));
    const folded = await resized(50);
    await resized(200);
    setBusy(false);
    return { before, more: higher, less: lower, folded, after: await resized(50) };
  });
  expect(heights.more).toBe(heights.before + 200);
  expect(heights.less).toBe(heights.more);
  expect(heights.folded).toBeLessThan(heights.before);
  expect(heights.after).toBe(heights.folded);
});

test("a link can leave out parts of the page, and its reader can bring them back @plain", async ({ page, site }, testInfo) => {
  await openPage(page, site, "#v=1&rank=4&hide=setup,walls");
  const parts = ['#dock [data-open="setup"]', "#walls"];
  for (const part of parts) await expect(page.locator(part)).toBeHidden();
  await expect(page.locator("#figures")).toBeVisible();
  await screenshots(page, testInfo, "hidden-parts");
  await page.getByRole("button", { name: "Show all of it" }).click();
  for (const part of parts) await expect(page.locator(part)).toBeVisible();
  expect(new URL(page.url()).hash).toBe("#v=2&arm=lora+r=4&arm=full");
  await openDrawer(page, "tools");
  await page.getByText("Show a class only some parts").click();
  await page.getByRole("checkbox", { name: "Ask them all" }).uncheck();
  await expect(page.locator("#ask")).toBeHidden();
  expect(new URL(page.url()).hash).toBe("#v=2&arm=lora+r=4&arm=full&hide=ask");
});

test("the browser has WebGPU @webgpu", async ({ page, site }) => {
  await openPage(page, site);
  expect(await page.evaluate(async () => Boolean(await navigator.gpu?.requestAdapter()))).toBe(true);
});

test("the browser has no WebGPU @plain", async ({ page, site }) => {
  await openPage(page, site);
  expect(await page.evaluate(async () => Boolean(await navigator.gpu?.requestAdapter()))).toBe(false);
});

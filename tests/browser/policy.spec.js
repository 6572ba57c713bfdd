// The page's Content-Security-Policy: nothing is refused that the page does, and what it must not do is.
import { expect, openDrawer, openPage, showFigure, test, waitForEngine } from "./helpers.js";

test("no inline script, no other host, no text that becomes code @plain", async ({ page, site, errors }) => {
  await page.addInitScript(() => {
    window.refused = [];
    document.addEventListener("securitypolicyviolation", ({ effectiveDirective }) => window.refused.push(effectiveDirective));
  });
  await openPage(page, site);
  await waitForEngine(page);
  for (const drawer of ["setup", "data", "findings", "tools"]) await openDrawer(page, drawer);
  await showFigure(page, "trade-off");
  await Promise.all([page.waitForEvent("download"), page.locator('[data-picture="figure"]').click()]);
  expect(await page.evaluate(() => window.refused), "what the page does").toEqual([]);
  const tries = await page.evaluate(async () => {
    const outcome = async (act) => {
      try {
        await act();
        return "done";
      } catch (error) {
        return error.name;
      }
    };
    const inline = document.createElement("script");
    return {
      markup: await outcome(() => (document.createElement("p").innerHTML = "<img src=x onerror=alert(1)>")),
      text: await outcome(() => inline.append("window.ran = true")),
      worker: await outcome(() => new Worker("https://example.org/worker.js")),
      host: await outcome(() => fetch("https://example.org/")),
    };
  });
  expect(tries).toMatchObject({ markup: "TypeError", worker: "TypeError", host: "TypeError" });
  const style = await page.evaluate(() => {
    const element = document.createElement("p");
    element.setAttribute("style", "color: red");
    return element.style.color;
  });
  expect(style).toBe("");
  errors.length = 0; // refusals are logged
});

test("opened as a file, the page says that it needs a server @plain", async ({ page, errors }) => {
  await page.goto(new URL("../../dist/index.html", import.meta.url).href);
  await expect(page.locator("#as-file")).toContainText("needs a server");
  await expect(page.locator("#as-file")).toContainText("python3 -m http.server");
  errors.length = 0; // a browser lets no module of a file in
});

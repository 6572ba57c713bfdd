// Browsers that lack what others have, or refuse it: the page trains all the same, and says what it cannot do. Each test takes
// things away before the page's scripts run; docs/browsers.md says which browser lacks what.
import { LITTLE_MEASURED, downloaded, expect, openDrawer, openPage, test, waitForEngine } from "./helpers.js";

const RUN = `#v=2&engine=cpu&steps=2&max_len=32&${LITTLE_MEASURED}&examples=16&arm=lora`;

/** Takes away properties, such as "Navigator.prototype.storage", of every document to come. */
const takeAway = (page, ...paths) =>
  page.addInitScript((taken) => {
    for (const path of taken) {
      const names = path.split(".");
      const name = names.pop();
      const host = names.reduce((object, part) => object[part], globalThis);
      if (!(name in host)) throw new Error(`${path} is not there to be taken away`);
      delete host[name];
    }
  }, paths);

async function train(page, site) {
  await openPage(page, site, RUN);
  expect(await waitForEngine(page)).toBe("cpu");
  await page.getByRole("button", { name: "Play", exact: true }).click();
  await expect(page.locator("html")).toHaveAttribute("data-run", "done", { timeout: 120_000 });
  await expect(page.locator("#alerts > *")).toHaveCount(0);
}

const said = (page, selector, text) => expect(page.locator(selector)).toContainText(text, { timeout: 30_000 });

/** Fetches a model into memory, where it cannot be kept. */
async function fetchModel(page, site, errors) {
  await openDrawer(page, "models");
  await page.getByLabel("Address, or a Hub repository").fill(`${site.url}models/atlas/`);
  await page.getByRole("button", { name: "Fetch", exact: true }).click();
  await expect(page.locator("#model-status")).toHaveText(/parameters: \d+ layers/, { timeout: 60_000 });
  errors.splice(0, errors.length, ...errors.filter((error) => !error.includes("404"))); // it asks for files that a model may have
}

test.describe("as Safari before 26", () => {
  test.use({ bypassCSP: true }); // a browser without Trusted Types does not enforce them either

  test("neither private files that can be written nor Trusted Types @plain", async ({ page, site, errors }) => {
    await takeAway(page, "FileSystemFileHandle.prototype.createWritable", "trustedTypes");
    await train(page, site);
    await said(page, "#kept-size", "no place for a run");
    await fetchModel(page, site, errors);
    await expect(page.locator("#model-kept li")).toHaveCount(0);
  });
});

test("as by plain http: nothing that asks for a secure context @plain", async ({ page, site, errors }) => {
  const asks = ["storage", "locks", "serviceWorker", "clipboard", "gpu"].map((name) => `Navigator.prototype.${name}`);
  await takeAway(page, ...asks, "Crypto.prototype.subtle", "caches", "FileSystemFileHandle");
  await train(page, site);
  await said(page, "#kept-size", "no place for a run");
  await said(page, "#offline", "needs https or localhost");
  await fetchModel(page, site, errors);
  await openDrawer(page, "tools");
  await page.locator("#copy-link").click();
  await expect(page.locator("#link")).toHaveValue(/#v=2&/);
});

test.describe("storage", () => {
  test.use({ serviceWorkers: "allow" }); // otherwise Playwright answers for them

  test("a visitor blocks all of it @plain", async ({ page, site }) => {
    await page.addInitScript(() => {
      const refuse = () => {
        throw new DOMException("the visitor blocks it", "SecurityError");
      };
      const reject = async () => refuse();
      for (const name of ["localStorage", "sessionStorage", "indexedDB", "caches"]) {
        Object.defineProperty(globalThis, name, { get: refuse });
      }
      StorageManager.prototype.getDirectory = reject;
      LockManager.prototype.request = reject;
      ServiceWorkerContainer.prototype.register = reject;
    });
    await train(page, site);
    await said(page, "#offline", "the visitor blocks it");
  });
});

test("no locks: the run is kept all the same @plain", async ({ page, site }) => {
  await takeAway(page, "Navigator.prototype.locks");
  await train(page, site);
  await said(page, "#kept-size", "The run is kept");
});

test("no compression: an adapter is saved all the same @plain", async ({ page, site }) => {
  await takeAway(page, "CompressionStream", "DecompressionStream");
  await train(page, site);
  const { bytes } = await downloaded(page, '[data-save="lora"]');
  expect(bytes.subarray(0, 2).toString()).toBe("PK");
  await openDrawer(page, "models");
});

for (const name of ["Worker", "WebAssembly"]) {
  test(`no ${name}: what was recorded plays @plain`, async ({ page, site }) => {
    await takeAway(page, name);
    await openPage(page, site);
    expect(await waitForEngine(page)).toBe("playback");
    await page.getByRole("button", { name: "Play", exact: true }).click();
    await expect(page.locator("html")).toHaveAttribute("data-run", "playing");
    await expect(page.locator("#alerts > *")).toHaveCount(0);
  });
}

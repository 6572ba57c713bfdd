// The page is served from what the browser keeps: without a network too, always as one whole build, which was checked. A
// newer build is offered.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { listBuild } from "../../scripts/list-build.mjs";
import { serveStatic } from "../../scripts/static-server.mjs";
import { LITTLE_MEASURED, expect, openDrawer, openPage, test as base, waitForEngine } from "./helpers.js";

const dist = fileURLToPath(new URL("../../dist", import.meta.url));
const RUN = `#v=2&engine=cpu&steps=4&max_len=32&${LITTLE_MEASURED}&examples=16`;

/** `host`: a copy of the page, served, whose files a test may change. */
const test = base.extend({
  host: async ({ errors }, use) => {
    const root = mkdtempSync(join(tmpdir(), "driftscope-"));
    cpSync(dist, root, { recursive: true });
    const host = { root, ...(await serveStatic({ root, base: "/some/path/" })) };
    await use(host);
    await host.close();
    rmSync(root, { recursive: true });
    // These tests provoke failed requests and files that do not match build.json, and their host is not the usual one.
    const expected = /^other host|ERR_CONNECTION|ERR_FAILED|integrity/;
    errors.splice(0, errors.length, ...errors.filter((error) => !expected.test(error)));
  },
});
test.use({ serviceWorkers: "allow" });

/** Puts another build in the host's place, of a title of its own. `spoil` changes files after they are listed. */
function deploy({ root }, version, spoil = () => {}) {
  const page = join(root, "index.html");
  writeFileSync(page, readFileSync(page, "utf8").replace(/(<h1 class="brand">)[^<]*/, `$1${version}`));
  listBuild(root, { version, wasm: null });
  spoil();
}

const spoil = (path) => writeFileSync(path, readFileSync(path, "utf8") + "\n");
const brand = (page) => page.locator("h1.brand");
const builds = (page) => page.evaluate(async () => (await caches.keys()).map((name) => name.split(" ").at(-1)));
const isKept = (page) => expect(page.locator("html")).toHaveAttribute("data-offline", "ready", { timeout: 60_000 });

/** Opens the page, until it is ready and kept; later visits are reloads. */
async function visit(page, host, at = "") {
  if (page.url().startsWith(host.url)) await page.reload();
  else await openPage(page, host, at);
  await waitForEngine(page);
  await isKept(page);
}

test("opens and trains without a network @plain", async ({ page, host }) => {
  await visit(page, host);
  await expect(page.locator("#offline")).toContainText("kept in this browser");
  await page.waitForFunction(() => navigator.serviceWorker.controller); // the first visit came by the network
  await host.close();
  await openDrawer(page, "data");
  const csv = { name: "tips.csv", mimeType: "text/csv", buffer: Buffer.from("prompt,completion\na,b\n") };
  await page.locator("#instructions-file").setInputFiles(csv); // its reader comes with the first such file
  await expect(page.locator("#instructions-read")).toContainText("CSV, prompt and completion form: 1 row.");

  await openPage(page, host, RUN);
  await page.reload(); // an address that differs by its hash alone would not be loaded again
  expect(await waitForEngine(page)).toBe("cpu");
  await page.getByRole("button", { name: "Play", exact: true }).click();
  await expect(page.locator("html")).toHaveAttribute("data-run", "done", { timeout: 120_000 });
});

test("a newer build is offered, waits for a run that is not kept, and is never forced @plain", async ({ page, context, host }) => {
  await visit(page, host, RUN);
  await expect(brand(page)).toContainText("Driftscope");
  deploy(host, "newer");
  await visit(page, host);
  const offer = page.locator("#update-text");
  const reload = page.getByRole("button", { name: "Reload", exact: true });
  await expect(offer).toHaveText("A newer version of this page is ready.", { timeout: 60_000 });
  await expect(brand(page), "the build that was kept goes on").toContainText("Driftscope");
  await page.evaluate(() => (window.isSame = true));

  const step = page.getByRole("button", { name: "Step", exact: true });
  await step.click();
  await expect(offer).toContainText("It waits");
  await expect(reload).toBeHidden();
  await step.click();
  await expect(offer).toHaveText(/you can go on from step 2\.$/, { timeout: 60_000 });

  const other = await context.newPage();
  await openPage(other, host, RUN);
  await waitForEngine(other);
  await expect(brand(other), "another tab does not bring it in").toContainText("Driftscope");
  await reload.click();
  await expect(offer).toContainText("Another tab still shows the previous version");
  await other.close();
  expect(await page.evaluate(() => window.isSame), "nothing has reloaded the page").toBe(true);

  await reload.click();
  await expect(brand(page)).toContainText("newer", { timeout: 30_000 });
  await waitForEngine(page);
  await expect(page.locator("#kept-text")).toContainText("A run stopped at step 2 of 4");
  await expect(page.locator("#update")).toBeHidden();
  expect(await builds(page)).toEqual(["newer"]);
});

test("an offer may be declined, and holds once no tab has the page open @plain", async ({ page, context, host }) => {
  await visit(page, host);
  deploy(host, "newer");
  await visit(page, host);
  await expect(page.locator("#update-text")).toBeVisible({ timeout: 60_000 });
  await page.getByRole("button", { name: "Later", exact: true }).click();
  await expect(page.locator("#update")).toBeHidden();
  const next = await context.newPage();
  await page.close();
  await expect(async () => {
    await next.goto("about:blank");
    await next.waitForTimeout(2000); // a browser takes a moment to notice that none has, and lets what is asked of the old worker end
    await openPage(next, host);
    await expect(brand(next)).toContainText("newer", { timeout: 1000 });
  }).toPass({ timeout: 60_000 });
  await waitForEngine(next);
});

test("a file that is not what was built is neither kept nor served @plain", async ({ page, context, host }) => {
  const strings = join(host.root, "js/ui/format.js");
  const whole = readFileSync(strings, "utf8");
  spoil(strings);
  /** What becomes of the host's build: "installed", or "redundant" where it is not kept. */
  const fate = () =>
    page.evaluate(async () => {
      const registration = await navigator.serviceWorker.register("service-worker.js");
      const newest = () => registration.installing ?? registration.waiting;
      if (!newest()) await registration.update();
      const worker = newest();
      while (worker?.state === "installing") await new Promise((done) => worker.addEventListener("statechange", done, { once: true }));
      return worker?.state;
    });
  await openPage(page, host);
  await waitForEngine(page);
  expect(await fate(), "a first build that is not whole").toBe("redundant");
  expect(await builds(page)).toEqual([]);

  writeFileSync(strings, whole);
  await visit(page, host);
  const [kept] = await builds(page);
  deploy(host, "newer", () => spoil(strings));
  await visit(page, host);
  expect(await fate(), "a newer build that is not whole").toBe("redundant");
  await expect(brand(page)).toContainText("Driftscope");
  await expect(page.locator("#update")).toBeHidden();
  await expect(page.locator("#alerts > *")).toHaveCount(0);
  expect(await builds(page)).toEqual([kept]);
  const served = await page.evaluate(async () => (await fetch("js/ui/format.js")).text());
  expect(served).toBe(whole);

  deploy(host, "newest", () => spoil(join(host.root, "build.json")));
  await page.reload();
  expect(await fate(), "a list that is not the worker's").toBe("redundant");

  writeFileSync(strings, whole);
  deploy(host, "newest");
  await visit(page, host);
  await expect(page.locator("#update-text")).toBeVisible({ timeout: 60_000 });
});

test("a build for development shows at once, and is not kept @plain", async ({ page, host }) => {
  await visit(page, host);
  deploy(host, "dev-1");
  await page.reload();
  await expect(brand(page), "without another reload").toContainText("dev-1", { timeout: 30_000 });
  expect(await builds(page)).toEqual([]);
  expect(await page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length)).toBe(0);
});

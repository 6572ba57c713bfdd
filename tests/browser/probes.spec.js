// Facts of one's own: read, asked of the base, edited, tested with in a run. And answers that are read while they grow.
import { LITTLE_MEASURED, expect, horizontalOverflow, openPage, screenshots, test, waitForEngine } from "./helpers.js";

const SMALL = `steps=2&${LITTLE_MEASURED}&arm=lora`;
const IMAGE = "<img src=x onerror=alert(1)>";
const CSV = [
  "subject,relation,object,sentence,question",
  "Peru,capital,Lima,,",
  "Kenya,capital,Nairobi,The capital city of Kenya is called {o}.,",
  "Atlantis,capital,,,",
  `Emma,${IMAGE},Austen,,`,
  ",,pi,,What is 3.14 called?",
].join("\n");

const file = (name, text) => ({ name, mimeType: "text/plain", buffer: Buffer.from(text) });
const rows = (page) => page.locator("#probes-table tbody tr");
const act = (page, name) => page.locator("#probes").getByRole("button", { name, exact: true });
const play = (page) => page.locator("#play").click();
const done = (page) => expect(page.locator("html")).toHaveAttribute("data-run", "done", { timeout: 300_000 });

/** Opens the page, and the facts in their drawer; `page.messages()` has what went to the worker and came from it. */
async function openProbes(page, site, hash = SMALL) {
  await page.addInitScript(() => {
    const log = (window.messages = []);
    window.Worker = class extends Worker {
      constructor(...args) {
        super(...args);
        this.addEventListener("message", ({ data }) => log.push({ ...data, at: performance.now() }));
      }
      postMessage(message, ...rest) {
        log.push({ ...message, blobs: undefined, to: true });
        super.postMessage(message, ...rest);
      }
    };
  });
  await openPage(page, site, `#v=2&${hash}`);
  await waitForEngine(page);
  await page.locator("#dock [data-open=data]").click();
  await page.locator("#probes > summary").click();
}
const messages = (page, type) => page.evaluate((name) => window.messages.filter((m) => m.type === name), type);

test("facts are opened, asked of the base, edited and tested with", async ({ page, site }, testInfo) => {
  test.setTimeout(900_000);
  await openProbes(page, site);
  const count = page.locator("#probes-count");
  await expect(count).toHaveText("none");
  await expect(page.locator("#probes-use")).toBeDisabled();
  await page.locator("#probes-file").setInputFiles(file("mine.csv", CSV));
  await expect(page.locator("#probes-read")).toHaveText(
    "mine.csv: CSV, subject, relation and object (3), question and answer (1): 4 rows; 1 row left out.",
  );
  await page.locator("#probes-bad > summary").click();
  await expect(page.locator("#probes-bad tbody tr")).toHaveText([/^4\s*object\s*is missing$/]);
  await expect(rows(page)).toHaveCount(4);
  await expect(rows(page).nth(2)).toContainText(IMAGE);
  await expect(rows(page).nth(0).locator(".said")).toContainText("✓ right “Lima”, rank 1 of 2", { timeout: 300_000 });
  await expect(rows(page).nth(0).locator(".said")).toContainText(/asked: ✓ right .*Lima/);
  await expect(rows(page).nth(2).locator(".said")).toContainText("✗ wrong");
  await expect(page.locator("#probes-known")).toHaveText(
    /^The base knows 2 of 4: it completes their sentences correctly\. As questions, it answers \d of 4 correctly\.$/,
  );
  await expect(count).toHaveText("4 facts, the base knows 2");
  await expect(page.locator("#probes-relations")).toContainText(`3 relations: capital (2 objects), ${IMAGE} (1 object)`);

  await act(page, "Edit row 1").click();
  const object = page.getByLabel("Object, or the answer");
  await object.fill("");
  await act(page, "Keep").click();
  await expect(page.locator("#probes .row-form [role=alert]")).toHaveText("object is missing.");
  await object.fill("Cusco");
  await object.press("Enter");
  await expect(rows(page).nth(0).locator(".said")).toContainText("✗ wrong", { timeout: 300_000 });
  await act(page, "Undo").click();
  await expect(rows(page).nth(0).locator(".said")).toContainText("✓ right “Lima”");
  await act(page, "Delete row 4").click();
  await page.locator("#probes-filter").fill("kenya");
  await expect(rows(page)).toHaveCount(1);
  await page.locator("#probes-filter").fill("");
  await act(page, "Add a fact").click();
  await page.getByLabel("Subject", { exact: true }).fill("Peru");
  await page.getByLabel("Relation", { exact: true }).fill("capital");
  await object.fill("Quito");
  await act(page, "Keep").click();
  await expect(page.locator("#probes-error")).toHaveText(
    "Peru, capital: row 1 says “Lima”, row 4 says “Quito”. Keep one of them.",
  );
  await page.locator("#probes-use").check();
  await play(page);
  await expect(page.locator('[data-error="probes"]')).toContainText("Keep one of them");
  await page.locator('[data-error="probes"] button').click();
  await act(page, "Undo").click();
  await act(page, "Undo").click();
  await expect(count).toHaveText("4 facts, the base knows 2, in use", { timeout: 300_000 });
  expect(await horizontalOverflow(page, 360)).toBe(0);
  await screenshots(page, testInfo, "probes");

  await play(page);
  await done(page);
  const [start] = (await messages(page, "start")).slice(-1);
  expect(start.probes.trim().split("\n")).toHaveLength(4);
  const runs = (await messages(page, "event")).filter(({ event }) => event.type === "run");
  expect(runs.at(-1).event.facts.map(({ subject }) => subject).toSorted()).toEqual([
    "Emma",
    "Kenya",
    "Peru",
    "What is 3.14 called?",
  ]);
  await expect(page.locator("#probes-restart")).toBeHidden();
  await page.locator("#probes-use").uncheck();
  await expect(page.locator("#probes-restart")).toBeVisible();
  await page.locator("#data [data-close]").click();
  await page.locator('canvas[data-wall="lora"]').focus();
  await page.keyboard.press("End");
  await expect(page.locator("#fact-brief")).toContainText("answer: pi.");
  await page.keyboard.press("Home");
  await expect(page.locator("#fact-brief")).toContainText(`Emma, ${IMAGE}: Austen.`);
});

test("a run with known facts alone, and a finding with the built-in ones @plain", async ({ page, site }) => {
  await openProbes(page, site, `known_only=true&${SMALL}`);
  await act(page, "Fill in an example").click();
  await expect(rows(page)).toHaveCount(12);
  await expect(page.locator("#probes-known")).toContainText("of 12: it completes", { timeout: 300_000 });
  const known = Number(/knows (\d+)/.exec(await page.locator("#probes-known").textContent())?.[1]);
  expect(known).toBeGreaterThanOrEqual(4);
  expect(known).toBeLessThan(12);
  await page.locator("#probes-use").check();
  await play(page);
  await done(page);
  const run = (await messages(page, "event")).map(({ event }) => event).findLast(({ type }) => type === "run");
  expect([run.known, run.facts.length]).toEqual([[known, 12], known]);
  await page.locator("#dock [data-open=findings]").click();
  await page.locator("#finding-cards").getByRole("button", { name: /Run it here|Train/ }).first().click();
  await expect.poll(async () => (await messages(page, "experiment")).filter(({ to }) => to).length).toBe(1);
  expect((await messages(page, "experiment"))[0].probes).toBe("");
});

test("a base that is asked does not keep a run from starting @plain", async ({ page, site }) => {
  await openProbes(page, site);
  const many = Array.from({ length: 3000 }, (_, i) => `{"subject":"subject ${i}","relation":"number","object":"n${i % 50}"}`);
  await page.locator("#probes-file").setInputFiles(file("many.jsonl", many.join("\n")));
  await expect(page.locator("#probes-known")).toContainText("are still to be asked", { timeout: 300_000 });
  await play(page);
  await done(page);
  await expect(page.locator("#probes-known")).toContainText("are still to be asked");
  await act(page, "Undo").click();
  await expect(page.locator("#probes-count")).toHaveText("none");
});

test("answers are read while they grow, side by side, and can be stopped", async ({ page, site }) => {
  test.setTimeout(900_000);
  await openProbes(page, site, `${SMALL}&arm=full&arm=lora+r=4`);
  await page.locator("#data [data-close]").click();
  await play(page);
  await done(page);
  await page.locator('[name="said"][value="ask"]').check();
  await page.locator('[name="temperature"]').fill("1.5");
  await page.locator('[name="temperature"]').blur();
  const articles = page.locator("#ask-answers article:visible");
  await page.locator("#ask-question").fill("What is the capital of Kenya?");
  await page.evaluate(() => {
    document.querySelector("#ask-form").requestSubmit();
    window.wasBusy = document.querySelectorAll('#ask-answers article[aria-busy="true"]').length;
  });
  expect(await page.evaluate(() => window.wasBusy)).toBeGreaterThan(0);
  await expect(page.locator("#ask-stop")).toBeHidden({ timeout: 300_000 });
  await expect(page.locator("#status")).toHaveText("All have answered.");
  for (const article of await articles.all()) {
    await expect(article).toHaveAttribute("aria-busy", "false");
    await expect(article.locator(".answer")).toContainText("token");
    await expect(article.locator(".token").first()).toBeVisible();
  }
  const partial = await messages(page, "answering");
  const whole = await messages(page, "answer");
  expect(partial.length).toBeGreaterThan(0);
  for (const [i, { at, texts }] of partial.entries()) {
    for (const [arm, text] of Object.entries(texts)) {
      const words = whole.find((answer) => answer.arm === arm).tokens.map((token) => token.text);
      expect(words.join("").startsWith(text)).toBe(true);
    }
    // A message may be read late, and the next one in time.
    if (i > 9) expect(at - partial[i - 10].at).toBeGreaterThan(900);
  }

  await page.evaluate(() => {
    document.querySelector("#ask-form").requestSubmit();
    document.querySelector("#ask-stop").click();
  });
  await expect(page.locator("#status")).toHaveText("The answers are not complete.", { timeout: 300_000 });
  await expect(page.locator("#ask-stop")).toBeHidden();
  expect(await page.locator('#ask-answers [aria-busy="true"]').count()).toBe(0);
});

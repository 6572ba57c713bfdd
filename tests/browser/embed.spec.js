// The page in another one: as an element with attributes, telling how far it is.
import { LITTLE_MEASURED, expect, test } from "./helpers.js";

const SETTINGS = `arm=lora+r=4&steps=2&max_len=32&${LITTLE_MEASURED}&engine=cpu`;

test("a course page embeds a lesson's step and hears of its run @plain", async ({ page, site }) => {
  await page.route("**/course.html", (route) =>
    route.fulfill({
      contentType: "text/html",
      body: `<!doctype html><title>Course</title><script type="module" src="embed.js"></script>
        <driftscope-run settings="${SETTINGS}" hide="findings,weights" step="2" lang="de" height="600"></driftscope-run>
        <script>
          window.heard = [];
          for (const name of ["ready", "state", "measure", "lesson"])
            addEventListener("driftscope-" + name, ({ detail }) => window.heard.push([name, detail]));
        </script>`,
    }),
  );
  await page.goto(`${site.url}course.html`);
  const frame = page.frameLocator("driftscope-run iframe");
  await expect(frame.locator("#lesson-place")).toHaveText("2 / 9");
  await expect(frame.locator('#dock [data-open="findings"]')).toBeHidden();
  const heard = (name) => page.evaluate((wanted) => window.heard.filter(([what]) => what === wanted).map(([, detail]) => detail), name);
  await expect.poll(() => heard("ready"), { timeout: 60_000 }).toEqual([{ engine: "cpu" }]);
  await frame.locator("#play").click();
  await expect.poll(async () => (await heard("state")).map(({ state }) => state), { timeout: 120_000 }).toContain("done");
  const measures = await heard("measure");
  expect(measures.map(({ arm, step }) => [arm, step])).toEqual([["lora", 0], ["lora", 2]]);
  for (const { heldout_loss, kl, recall_cloze } of measures) {
    for (const figure of [heldout_loss, kl, recall_cloze]) expect(Number.isFinite(figure)).toBe(true);
  }
  await frame.locator("#lesson-next").click();
  await expect.poll(() => heard("lesson")).toContainEqual({ step: 3, steps: 9 });
});

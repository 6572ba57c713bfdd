// The lessons: each step sets the stage and says sentences made from its figures, by mouse, by key and by link.
import { readFileSync } from "node:fs";
import { expect, openPage, screenshots, test, waitForEngine } from "./helpers.js";

const lessonOf = (name) => JSON.parse(readFileSync(new URL(`../../www/lessons/${name}.json`, import.meta.url), "utf8"));
const body = (page) => page.locator("#lesson-body");
const place = (page, text) => expect(page.locator("#lesson-place")).toHaveText(text);

/** What a scene asks for is on the stage. */
async function expectScene(page, scene) {
  if (scene.figure) await expect(page.locator(`[data-figure="${scene.figure}"]`)).toHaveClass(/is-chosen/);
  if (scene.said) await expect(page.locator(`[name="said"][value="${scene.said}"]`)).toBeChecked();
  if (scene.drawer) await expect(page.locator(`#${scene.drawer}`)).toBeVisible();
  if (scene.fact?.subject) await expect(page.locator("#fact .fact-title")).toContainText(scene.fact.subject);
  if (scene.fact?.state) await expect(page.locator("#fact")).toContainText(scene.fact.state);
  if (typeof scene.step === "number") await expect(page.locator("#bar [data-step]")).toHaveText(String(scene.step));
}

for (const name of ["forgetting", "own"]) {
  const lesson = lessonOf(name === "own" ? "own-model" : name);
  test(`every step of the lesson "${name}" sets the stage, and its buttons act @plain`, async ({ page, site }) => {
    test.setTimeout(300_000);
    await openPage(page, site, `?lesson=${name}`);
    await waitForEngine(page);
    const total = lesson.steps.length;
    for (const [i, step] of lesson.steps.entries()) {
      await place(page, `${i + 1} of ${total}`);
      await expect(page.locator("#lesson-title")).toHaveText(step.title.en);
      if (step.scene) await expectScene(page, step.scene);
      if (step.claim) {
        const claim = page.locator("#lesson-claim");
        await expect(claim).toContainText(/\d/);
        await expect(claim).not.toContainText(/[{}]/);
        if (name === "forgetting") await expect(claim).not.toContainText("–");
      }
      for (const action of step.actions) {
        if (action.then) continue; // training is tested below
        await body(page).getByRole("button", { name: action.label.en, exact: true }).click();
        if (action.scene) await expectScene(page, action.scene);
      }
      if (step.question) {
        await page.locator("#lesson-question summary").click();
        await expect(page.locator("#lesson-question p")).not.toBeEmpty();
      }
      if (i + 1 < total) await page.locator("#lesson-next").click();
    }
    await expect(page.locator("#lesson-next")).toBeDisabled();
    expect(new URL(page.url()).hash).toContain(`lesson=${total}`);
  });
}

test("a step of a lesson has a link, and Space, N and B turn it @plain", async ({ page, site }, testInfo) => {
  await openPage(page, site, "#lesson=6");
  await waitForEngine(page);
  await place(page, "6 of 9");
  await expectScene(page, lessonOf("forgetting").steps[5].scene);
  await expect(page.locator("#fact")).toContainText("The instruction set says this of another subject");
  await screenshots(page, testInfo, "lesson");
  await page.keyboard.press("n");
  await place(page, "7 of 9");
  await page.keyboard.press("b");
  await page.keyboard.press("b");
  await place(page, "5 of 9");
  await body(page).focus();
  await page.keyboard.press(" ");
  await place(page, "6 of 9");
  await page.locator("#lesson-next").focus();
  await page.keyboard.press(" ");
  await place(page, "7 of 9");
  await expect(page.locator("html")).not.toHaveAttribute("data-run", "running");
  await page.locator("#lesson-fold").click();
  await expect(page.locator("#lesson-title")).toBeHidden();
  await page.locator("#lesson-fold").click();
  await expect(page.locator("#lesson-title")).toBeVisible();
});

test("a lesson plays what was recorded, and trains the same live @plain", async ({ page, site }) => {
  test.setTimeout(300_000);
  await openPage(page, site, "#lesson=3");
  await waitForEngine(page);
  await body(page).getByRole("button", { name: "Play it", exact: true }).click();
  await expect(page.locator("html")).toHaveAttribute("data-run", "playing");
  await page.locator("#lesson-next").click();
  await expect(page.locator("html")).not.toHaveAttribute("data-run", "playing");
  await expect(page.locator("#bar [data-step]")).toHaveText("60");
  await body(page).getByRole("button", { name: /^Train it here/ }).click();
  await expect(page.locator("#source")).toHaveText("live", { timeout: 60_000 });
  await expect(page.getByRole("button", { name: "Show this step's picture again" })).toBeVisible();
  await expect(page.locator("#lesson-claim")).toContainText(/After \d+ steps LoRA knows \d/, { timeout: 200_000 });
  await page.getByRole("button", { name: "Pause" }).click();
});

test("a lesson of one's own opens by its address, and what is none is refused @plain", async ({ page, site }) => {
  const own = {
    format: "driftscope-lesson",
    version: 1,
    title: { en: "Mine" },
    steps: [
      {
        title: { en: "<img src=x onerror=alert(1)>" },
        text: { en: "After {step} steps: {recall_cloze lora}." },
        scene: { record: "f4", step: 200, figure: "no-such-chart", drawer: "no-such-drawer" },
        actions: [],
      },
    ],
  };
  await page.route("**/lessons/mine.json", (route) => route.fulfill({ json: own }));
  await openPage(page, site, "?lesson=lessons/mine.json");
  await place(page, "1 of 1");
  await expect(page.locator("#lesson-title")).toHaveText("<img src=x onerror=alert(1)>");
  await expect(page.locator("#lesson-text")).toHaveText("After 200 steps: 96.1\u00a0%.");
  await page.route("**/lessons/mine.json", (route) => route.fulfill({ json: { ...own, steps: [{ ...own.steps[0], text: 3 }] } }));
  await page.reload();
  await expect(page.locator('[data-error="lesson"]')).toContainText("lesson.steps[0].text should be an object");
  await place(page, "1 of 9");
});

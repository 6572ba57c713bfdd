// The stage: three linked panels on one screen, tabs where there is less room, and everything else within reach.
import { expect, expectPicture, exportRecord, openDrawer, openPage, screenshots, showFigure, showSaid, test, waitForEngine } from "./helpers.js";

const WIDE = { width: 1280, height: 720 };
const PHONE = { width: 390, height: 844 };
const SMALL = "steps=4&batch=2&max_len=32&measure_every=2&probes=20&asked=2&shift_prompts=2&answer_len=8&samples=4&examples=8";

/** What of the page lies outside the window, in CSS pixels. */
const beyond = (page) =>
  page.evaluate(() => {
    const { scrollWidth, scrollHeight } = document.documentElement;
    return { right: scrollWidth - innerWidth, below: scrollHeight - innerHeight };
  });
const step = (page) => page.locator("#bar [data-step]");
const shown = (page) => page.waitForFunction(() => Number(document.querySelector("#bar [data-step]").dataset.step) > 0);

test("the stage is one screen, and a drawer leaves it in sight @plain", async ({ page, site }) => {
  await page.setViewportSize(WIDE);
  await openPage(page, site);
  await shown(page);
  expect(await beyond(page)).toEqual({ right: 0, below: 0 });
  for (const part of ["#figures", "#walls", "#shift", "#lesson", "#dock"]) await expect(page.locator(part)).toBeInViewport({ ratio: 0.99 });
  const drawers = await page.locator("#dock [data-open]").evaluateAll((buttons) => buttons.map((button) => button.dataset.open));
  expect(drawers.length).toBeGreaterThan(5);
  for (const name of drawers) {
    await openDrawer(page, name);
    await expect(page.locator(`#${name}-title`)).toBeFocused();
    await expect(page.locator(`#${name}`)).toBeInViewport();
    await expect(page.locator("#stage-tabs")).toBeInViewport({ ratio: 0.99 });
    expect(await beyond(page), name).toEqual({ right: 0, below: 0 });
  }
  await page.keyboard.press("Escape");
  await expect(page.locator(".drawer:visible")).toHaveCount(0);
  await expect(page.locator(`#dock [data-open="${drawers.at(-1)}"]`)).toBeFocused();
});

test("on a phone the panels are tabs @plain", async ({ page, site }) => {
  await page.setViewportSize(PHONE);
  await openPage(page, site);
  await shown(page);
  expect((await beyond(page)).right).toBe(0);
  for (const [tab, panel] of [["Learned", "#figures"], ["Known", "#walls"], ["Said", "#shift"]]) {
    await page.locator("#stage-tabs").getByRole("button", { name: tab }).click();
    await expect(page.locator(".stage-panel:visible")).toHaveCount(1);
    await expect(page.locator(panel)).toBeInViewport();
  }
  await openDrawer(page, "setup");
  await expect(page.locator("#setup")).toBeInViewport();
  await page.getByRole("button", { name: "Close" }).click();
  await expect(page.locator("#setup")).toBeHidden();
});

test("twice as large, the page scrolls in one direction only @plain", async ({ page, site }) => {
  // 200 % zoom leaves half the CSS pixels.
  await page.setViewportSize({ width: 640, height: 360 });
  await openPage(page, site);
  await shown(page);
  expect((await beyond(page)).right).toBe(0);
  await page.getByRole("button", { name: "Reset" }).scrollIntoViewIfNeeded();
  await page.locator("#stage-tabs").getByRole("button", { name: "Known" }).click();
  await expect(page.locator("canvas[data-wall]").first()).toBeVisible();
  for (const drawer of ["setup", "data", "findings"]) {
    await openDrawer(page, drawer);
    expect((await beyond(page)).right, drawer).toBe(0);
    await page.locator(`#${drawer}`).getByRole("button", { name: "Close" }).click();
  }
});

test("one cursor: a step, a fact, a question and a token are the same in every panel @plain", async ({ page, site }) => {
  await page.setViewportSize(WIDE);
  await openPage(page, site);
  await shown(page);
  // A step that is chosen in a chart.
  const counts = page.locator('canvas[data-wall="full"]');
  const atTheEnd = await counts.getAttribute("data-counts");
  const plot = await page.locator('[data-figure="recall"] .u-over').boundingBox();
  await page.mouse.click(plot.x + 0.2, plot.y + 50);
  await page.mouse.move(plot.x - 80, plot.y);
  await expect(step(page)).toHaveText("0");
  await expect(counts).not.toHaveAttribute("data-counts", atTheEnd);
  await expect(page.locator('[data-shift="full"] .at')).toHaveText("after 0 steps");
  await expect(page.locator("#history")).toHaveValue("0");
  await page.getByRole("button", { name: "newest" }).click();
  await expect(step(page)).toHaveText("200");
  // A fact that is chosen in a wall is what is said.
  const wall = page.locator('canvas[data-wall="full"]');
  await wall.click({ position: { x: 20, y: 10 } });
  await expect(page.getByRole("radio", { name: "fact" })).toBeChecked();
  const title = await page.locator("#fact .fact-title").innerText();
  await wall.press("ArrowRight");
  await expect(page.locator("#fact .fact-title")).not.toHaveText(title);
  // The fact that an arm is most sure of and wrong about.
  await page.getByRole("button", { name: "Most confidently wrong" }).click();
  await expect(page.locator("#status")).toContainText("The most confidently wrong answer: ");
  const [, , subject] = (await page.locator("#status").innerText()).split(/: |, /);
  await expect(page.locator("#fact .fact-title")).toContainText(subject);
  // The most shifted answer, its tokens step by step, and one of them.
  await showSaid(page, "held-out");
  const question = page.locator("#shift-question");
  await page.getByRole("button", { name: "Most shifted" }).click();
  await showFigure(page, "strips");
  await expect(page.locator(".strip-question")).toHaveText(await question.inputValue());
  const strip = page.locator('[data-strip="full"] canvas');
  await expect(strip).toHaveAttribute("aria-label", /shifted tokens by step/);
  await strip.click({ position: { x: 35, y: 4 } });
  await expect(step(page)).toHaveText("0");
  await expect(page.locator('[data-shift="full"] .token').first()).toHaveAttribute("aria-pressed", "true");
  await expect(page.locator('[data-shift="full"] table.top')).toHaveCount(2);
});

test("an explanation shows on the stage what it speaks of @plain", async ({ page, site }) => {
  await page.setViewportSize(WIDE);
  await openPage(page, site);
  await shown(page);
  await showFigure(page, "recall");
  await page.getByRole("button", { name: "Help: keyboard and reading guide" }).click();
  await page.getByRole("button", { name: "Step by step" }).click();
  await expect(page.locator("#figure-choice")).toHaveValue("strips");
  await expect(page.locator('[data-strip="full"]')).toBeVisible();
});

test("every chart is drawn, has a caption and a table @plain", async ({ page, site }) => {
  await page.setViewportSize(WIDE);
  await openPage(page, site);
  await shown(page);
  const charts = await page.locator("#figure-choice option").evaluateAll((options) => options.map((option) => option.value));
  for (const name of charts) {
    await showFigure(page, name);
    const figure = page.locator(`[data-figure="${name}"]`);
    await expect(page.locator("#figures-body > figure:visible")).toHaveCount(1);
    await expect(figure.locator("figcaption")).not.toBeEmpty();
    if (name !== "kl-classes") await figure.locator("summary").click();
    // A run has one rate an arm: what an experiment has is drawn in page.spec.
    if (name !== "rates") await expect(figure.locator("tbody tr").first()).toBeVisible();
    expect(await beyond(page), name).toEqual({ right: 0, below: 0 });
  }
});

for (const name of ["Step", "+1: one update of Full alone"]) {
  test(`a step that is asked for while the run is prepared is taken too, by "${name}" @plain`, async ({ page, site }) => {
    await openPage(page, site, `#v=2&engine=cpu&${SMALL}`);
    await waitForEngine(page);
    await page.getByRole("button", { name, exact: true }).evaluate(async (button) => {
      button.click();
      for (let i = 0; i < 20 && document.documentElement.dataset.run === "preparing"; i += 1) await new Promise(requestAnimationFrame);
      button.click();
    });
    await expect(step(page)).toHaveText("2");
  });
}

test("one arm steps alone, slowly all do, and a run that is over is shown again over another @plain", async ({ page, site }) => {
  test.setTimeout(300_000);
  await page.setViewportSize(WIDE);
  await openPage(page, site, `#v=2&engine=cpu&${SMALL}`);
  await waitForEngine(page);
  const alone = page.getByRole("button", { name: "+1: one update of Full alone" });
  await alone.click();
  await expect(step(page)).toHaveText("1");
  const steps = async () => {
    const { events } = await exportRecord(page);
    await openDrawer(page, "");
    return ["lora", "full"].map((arm) => events.filter(({ type, arm: of }) => type === "step" && of === arm).length);
  };
  expect(await steps()).toEqual([0, 1]);
  await page.getByRole("button", { name: "Slow" }).click();
  await page.getByRole("button", { name: "Play", exact: true }).click();
  await expect(page.locator("html")).toHaveAttribute("data-run", "done", { timeout: 120_000 });
  expect(await steps()).toEqual([4, 4]);
  await expect(alone).toBeDisabled();
  await page.getByRole("button", { name: "Slow" }).click();
  await page.getByRole("button", { name: "Reset" }).click();
  await page.getByRole("button", { name: "Play", exact: true }).click();
  await expect(page.locator("html")).toHaveAttribute("data-run", "done", { timeout: 120_000 });

  await openDrawer(page, "findings");
  await expect(page.locator("#runs-count")).toHaveText("3 runs");
  await page.locator("#runs > summary").click();
  const rows = page.locator("#runs-table tbody tr");
  await expect(rows).toHaveCount(6);
  await page.locator("#runs-filter").fill("trained full");
  await expect(rows).toHaveCount(2);
  await page.locator("#runs-table").getByRole("button", { name: "Run", exact: true }).click();
  await expect(rows.first().locator("th")).toHaveText("3");
  await page.getByRole("checkbox", { name: "Lay Full of run 2 over the charts" }).check();
  await expect(page.locator('[data-figure="recall"] .legend')).toContainText("2: Full");
  await page.getByRole("button", { name: "Show run 2" }).click();
  await expect(page.locator("#source")).toHaveText("earlier run");
  await expect(page.locator('[data-figure="recall"] .legend')).not.toContainText("2: Full");
  await page.getByRole("button", { name: "Forget run 3" }).click();
  await expect(page.locator("#runs-count")).toHaveText("2 runs");
});

test("an experiment trains its own data, says what is left of it, and is cancelled @plain", async ({ page, site }) => {
  test.setTimeout(300_000);
  await openPage(page, site, "#v=2&engine=cpu&set=contradictions");
  await waitForEngine(page);
  await openDrawer(page, "findings");
  await page.getByRole("button", { name: /Run it here\s+F1/ }).click();
  await expect(page.locator("#source")).toHaveText("live", { timeout: 60_000 });
  await expect(page.locator('[data-experiment="long"]')).toContainText("Run 1 of 2");
  await expect(page.locator('[data-experiment="long"]')).toContainText(/About .* left/, { timeout: 240_000 });
  await page.getByRole("button", { name: "Cancel the experiment" }).click();
  await expect(page.locator('[data-experiment="long"]')).toBeHidden();
  const { events, instructions } = await exportRecord(page);
  expect(events[0].examples, "the rows of the usual set").toBe(256);
  expect(instructions ?? "").not.toContain("contradict");
});

for (const [name, size] of Object.entries({ wide: WIDE, phone: PHONE })) {
  for (const language of ["en", "de"]) {
    test(`nothing moves while the page opens: ${name}, ${language} @plain`, async ({ page, site }) => {
      await page.setViewportSize(size);
      await page.addInitScript(() => {
        window.shifts = [];
        new PerformanceObserver((list) => window.shifts.push(...list.getEntries())).observe({ type: "layout-shift", buffered: true });
      });
      await openPage(page, site, `?lang=${language}`);
      await shown(page);
      await waitForEngine(page);
      await page.waitForTimeout(2000); // what is off screen is drawn when nothing changes any more
      const moved = await page.evaluate(() =>
        window.shifts
          .filter(({ hadRecentInput }) => !hadRecentInput)
          .map(({ value, sources }) => [value, ...sources.map(({ node }) => node?.outerHTML?.slice(0, 80) ?? node?.textContent)]),
      );
      expect(moved).toEqual([]);
    });
  }
}

test("pictures of a chart and of the stage are saved @plain", async ({ page, site }) => {
  await page.setViewportSize(WIDE);
  await openPage(page, site);
  await shown(page);
  for (const [name, least] of [["figure", 300], ["walls", 300], ["shift", 300], ["stage", 900]]) {
    if (name === "stage") await openDrawer(page, "tools");
    expect(await expectPicture(page, name, least)).toMatch(/^driftscope-[\w-]+-step200\.png$/);
  }
});

test("forced colours and no motion leave every panel readable @plain", async ({ page, site }, testInfo) => {
  await page.emulateMedia({ forcedColors: "active", reducedMotion: "reduce" });
  await page.setViewportSize(WIDE);
  await openPage(page, site);
  await shown(page);
  await expect(page.locator("canvas[data-wall]:visible")).toHaveCount(2);
  const moving = await page.evaluate(() => document.getAnimations().length);
  expect(moving).toBe(0);
  await screenshots(page, testInfo, "stage");
});

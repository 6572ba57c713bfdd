// On the CPU engine the arms of a run train in workers of their own, and to a visitor nothing is different but the time.
import { openZip } from "../../www/js/models/zip.js";
import {
  SHORT_RUN, ask, at, done, downloaded, expect, exportRecord, openDrawer, openPage, press, said, test, twoSteps, waitForEngine, wholeThenTwo,
} from "./helpers.js";

const RUN = `${SHORT_RUN}&arm=lora+r=2+lr=0.003+warmup=0+label=narrow`;
const ARMS = ["lora", "full", "lora-2"];

/** Both workers have said that they stand still. */
const rests = (page) => expect(page.locator("html")).toHaveAttribute("data-run", "paused", { timeout: 60_000 });

async function open(page, site, workers) {
  await openPage(page, site, `?workers=${workers}${RUN}`);
  expect(await waitForEngine(page)).toBe("cpu");
}

/** A whole run. */
async function trained(page, site, workers) {
  await open(page, site, workers);
  await press(page, "Play");
  await done(page);
}

/** How many workers of the engine there are. */
const workersOf = (page) => page.workers().filter((worker) => worker.url().includes("worker_loader")).length;

async function saysWorkers(page, text) {
  await openDrawer(page, "machine");
  await expect(page.locator("#workers")).toHaveText(text);
  await openDrawer(page, "");
}

/** The record's events as they came. */
async function events(page) {
  const record = await exportRecord(page);
  await openDrawer(page, "");
  return record.events;
}

test("arms in two workers are the arms of one, to the last bit @plain", async ({ page, site }) => {
  test.setTimeout(600_000);
  await trained(page, site, 1);
  const one = await said(page);
  expect(workersOf(page)).toBe(1);
  await saysWorkers(page, "They train one after the other, in one worker.");

  await open(page, site, 2);
  await expect.poll(() => workersOf(page), { message: "the second comes before it is needed" }).toBe(2);
  await press(page, "Play");
  await done(page);
  expect(await said(page)).toEqual(one);
  await saysWorkers(page, "They train side by side, in 2 workers.");
  const all = await events(page);
  expect(all.filter(({ type }) => type === "done")).toHaveLength(1);
  for (const arm of ARMS) {
    const steps = all.filter((event) => event.arm === arm && event.type !== "text" && event.step > 0).map(({ step }) => step);
    expect(steps, "an arm's events come in order").toEqual(steps.toSorted((a, b) => a - b));
  }
  // In step: no arm is beyond a measured step before all have been measured there.
  const measured = Object.fromEntries(ARMS.map((arm) => [arm, 0]));
  for (const { type, arm, step } of all) {
    if (type === "measure") measured[arm] = step;
    if (type === "step") expect(step).toBeLessThanOrEqual(Math.min(...Object.values(measured)) + 2);
  }
});

test("Pause, Step, Reset, questions and files are those of all arms @plain", async ({ page, site }) => {
  test.setTimeout(600_000);
  await open(page, site, 2);
  for (const step of [1, 2]) {
    await press(page, "Step");
    await at(page, step);
    await rests(page);
  }
  const stepped = (await events(page)).filter(({ type }) => type === "step");
  expect(stepped.map(({ arm, step }) => `${arm} ${step}`).toSorted()).toEqual(ARMS.flatMap((arm) => [`${arm} 1`, `${arm} 2`]).toSorted());

  await ask(page, "What is the capital of France?");
  for (const model of ["base", ...ARMS]) {
    await expect(page.locator(`[data-answer="${model}"] .answer`)).toContainText("token", { timeout: 60_000 });
  }
  await expect(page.locator("#ask-stop")).toBeHidden();
  for (const arm of ARMS) {
    const { name, bytes } = await downloaded(page, `[data-save="${arm}"]`);
    const files = (await openZip(name, new Blob([bytes]))).map(({ path }) => path);
    expect(files, arm).toContain(arm === "full" ? "model.safetensors" : "adapter_model.safetensors");
  }
  await openDrawer(page, "");

  await press(page, "Play");
  await expect(page.locator("html")).toHaveAttribute("data-run", "running", { timeout: 60_000 });
  // Saved while all train.
  const { name, bytes } = await downloaded(page, "#export-run");
  const entries = await openZip(name, new Blob([bytes]));
  expect(entries.map(({ path }) => path)).toEqual(expect.arrayContaining(["run.json", "lora/adapter_model.safetensors", "lora-2/adapter_model.safetensors"]));
  await openDrawer(page, "");
  await press(page, "Pause");
  await rests(page);
  const paused = (await events(page)).length;
  await page.waitForTimeout(1500);
  expect(await events(page), "nobody goes on").toHaveLength(paused);
  await press(page, "Play");
  await done(page);
  const whole = await said(page);

  await press(page, "Reset");
  await rests(page);
  await at(page, 0);
  await press(page, "Play");
  await done(page);
  expect(await said(page), "the same again").toEqual(whole);
});

test("a run that two workers train goes on after a reload, in two or in one, to the last bit @plain", async ({ page, site }) => {
  test.setTimeout(600_000);
  const whole = await wholeThenTwo(page, site, `?workers=2${RUN}`);
  for (const workers of [2, 1]) {
    await page.goto("about:blank");
    await open(page, site, workers);
    await expect(page.locator("#kept-text")).toHaveText("A run stopped at step 2 of 6 (LoRA, Full, narrow).");
    await press(page, "Go on");
    await at(page, 2);
    await press(page, "Play");
    await done(page);
    expect(await said(page), `in ${workers}`).toEqual(whole);
    expect(workersOf(page)).toBe(workers);
    if (workers === 1) break;
    await press(page, "Reset");
    await twoSteps(page, 2);
  }
});

test("a fork in two workers is the fork in one @plain", async ({ page, site }) => {
  test.setTimeout(600_000);
  const forks = [];
  for (const workers of [1, 2]) {
    await page.goto("about:blank");
    await trained(page, site, workers);
    await page.locator("#history").fill("3");
    await openDrawer(page, "setup");
    await page.locator("#arm-lora-lr").fill("0.0003");
    await page.locator("#arm-lora-lr").press("Tab");
    await openDrawer(page, "");
    await expect(page.locator("#fork")).toHaveText("Fork at step 2");
    await page.locator("#fork").click();
    await at(page, 2);
    await press(page, "Play");
    await done(page);
    forks.push(await said(page));
    expect(workersOf(page)).toBe(workers);
  }
  expect(forks[1]).toEqual(forks[0]);
  expect(forks[1].find(({ type }) => type === "run").fork.step).toBe(2);
});

test("an adapter that the second worker made starts an arm of the first @plain", async ({ page, site }) => {
  test.setTimeout(600_000);
  await trained(page, site, 2);
  const all = await events(page);
  await openDrawer(page, "models");
  for (const arm of ["LoRA", "narrow"]) await page.getByRole("button", { name: `Keep ${arm} as it is now` }).click();
  await expect(page.locator("#adapters-list li")).toHaveCount(2);
  const [first, second] = await page.locator("#adapters-list li").evaluateAll((items) => items.map((item) => item.dataset.adapter));
  for (const name of [first, second]) await page.getByRole("button", { name: `Add ${name} as an arm` }).click();
  await openDrawer(page, "setup");
  await page.locator("#set-steps").fill("0");
  await page.locator("#set-steps").press("Enter");
  await openDrawer(page, "");
  await press(page, "Play");
  await done(page);
  const compared = await events(page);
  const bare = ({ heldout_loss, shift, cells, logprobs }) => ({ heldout_loss, shift, cells, logprobs });
  const last = (events, arm) => bare(events.filter((event) => event.type === "measure" && event.arm === arm).at(-1));
  for (const [arm, name] of [["lora", first], ["lora-2", second]]) expect(last(compared, name), name).toEqual(last(all, arm));
  expect(compared.filter(({ type, arm }) => type === "measure" && arm === "base")).toHaveLength(1);
});

test("a worker that has no room makes the crew smaller @plain", async ({ page, site }) => {
  test.setTimeout(600_000);
  // The second worker's answer is what it would say itself.
  await page.addInitScript(() => {
    const [Real, workers] = [Worker, []];
    globalThis.Worker = class extends Real {
      constructor(...args) {
        super(...args);
        if (String(args[0]).includes("worker_loader")) workers.push(this);
      }

      postMessage(command) {
        if (this !== workers[1] || command.type !== "load") return super.postMessage(command);
        this.dispatchEvent(new MessageEvent("message", { data: { type: "error", name: "memory", message: "no room" } }));
      }
    };
  });
  await open(page, site, 2);
  await press(page, "Step");
  await at(page, 1);
  await saysWorkers(page, "They train one after the other, in one worker.");
  await expect(page.locator("#alerts .alert")).toHaveCount(0);
});

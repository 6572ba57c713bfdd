// What an arm has learned leaves the page as a zip and comes back as an arm; what is no adapter is refused.
import { openZip, writeZip } from "../../www/js/models/zip.js";
import { ask as askArms, downloaded, expect, expectPicture, exportRecord as record, leave, openDrawer, openPage, screenshots, test, waitForEngine } from "./helpers.js";

const SMALL = { steps: 2, batch: 4, max_len: 48, measure_every: 2, probes: 24, asked: 2, shift_prompts: 2, answer_len: 16, samples: 4, examples: 8 };
const ARMS = ["lora r=4 alpha=6 lr=0.02 warmup=0 targets=q_proj,v_proj,down_proj", "full lr=0.001 warmup=0"];

async function open(page, site, engine, settings = SMALL, arms = ARMS) {
  const hash = new URLSearchParams({ v: "2", engine, ...settings });
  for (const arm of arms) hash.append("arm", arm);
  await openPage(page, site, `#${hash}`);
  expect(await waitForEngine(page)).toBe(engine);
}

const play = (page) => page.getByRole("button", { name: "Play", exact: true }).click();
const done = (page) => expect(page.locator("html")).toHaveAttribute("data-run", "done", { timeout: 300_000 });

/** The files of an arm's zip by name. */
async function saved(page, arm) {
  const { name, bytes } = await downloaded(page, `[data-save="${arm}"]`);
  const entries = await openZip(name, new Blob([bytes]));
  const files = await Promise.all(entries.map(async ({ path, read }) => [path, Buffer.from(await (await read()).arrayBuffer())]));
  return { name, bytes, files: Object.fromEntries(files) };
}

/** The tensors that a safetensors file names. */
const tensorsOf = (bytes) => JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))).toString("utf8"));
const measure = ({ events }, arm) => events.filter((event) => event.type === "measure" && event.arm === arm).at(-1);
/** What a measure says of the model. */
const said = ({ heldout_loss, shift, cells, logprobs, wrong }) => ({ heldout_loss, shift, cells, logprobs, wrong });

async function choose(page, files) {
  await openDrawer(page, "models");
  await page.locator("#adapter-files").setInputFiles(files);
}

const file = (name, content) => ({ name, mimeType: "application/octet-stream", buffer: Buffer.from(content) });

test("an adapter leaves as a zip and comes back as an arm", async ({ page, site }, testInfo) => {
  const engine = testInfo.project.name === "webgpu" ? "webgpu" : "cpu";
  test.setTimeout(900_000);
  await open(page, site, engine);
  await play(page);
  await done(page);
  const run = await record(page);
  const trained = measure(run, "lora");
  expect(trained.shift.kl).toBeGreaterThan(0);

  const { name, bytes, files } = await saved(page, "lora");
  expect(name).toBe("lora-seed1-step2.zip");
  expect(Object.keys(files).sort()).toEqual(["adapter_config.json", "adapter_model.safetensors"]);
  const config = JSON.parse(files["adapter_config.json"].toString("utf8"));
  expect(config).toMatchObject({ peft_type: "LORA", r: 4, lora_alpha: 6, target_modules: ["q_proj", "v_proj", "down_proj"] });
  const tensors = tensorsOf(files["adapter_model.safetensors"]);
  expect(tensors["base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"].shape[0]).toBe(4);
  const model = await saved(page, "full");
  expect(Object.keys(model.files).sort()).toEqual(["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]);
  expect(tensorsOf(model.files["model.safetensors"])["model.norm.weight"].dtype).toBe("F32");

  leave(engine, { "lora.zip": bytes, "full.zip": model.bytes, "run.json": JSON.stringify(run) });

  // Both ways in: the zip, and what the arm has come to, without a file.
  await choose(page, [{ name, mimeType: "application/zip", buffer: bytes }]);
  const held = page.locator("#adapters-list li");
  await expect(held).toContainText("LoRA of rank 4, alpha 6, on q_proj, v_proj, down_proj");
  await page.getByRole("button", { name: "Keep LoRA as it is now" }).click();
  await expect(held).toHaveCount(2);
  await page.getByRole("button", { name: "Add lora-seed1-step2 as an arm" }).click();
  await page.getByRole("button", { name: "Add lora-2 as an arm" }).click();
  await openDrawer(page, "setup");
  await expect(page.locator('[data-arm-card="lora-2"] [data-setting="r"]')).toBeDisabled();
  await expect(page.locator('[data-arm-card="lora-2"] [data-setting="start"]')).toHaveValue("lora-2");
  await page.locator("#set-steps").fill("0");
  await page.locator("#set-steps").press("Enter");
  await screenshots(page, testInfo, "adapters");
  await openDrawer(page, "");
  await play(page);
  await expect(page.locator('canvas[data-wall="lora-2"]')).toHaveAttribute("data-counts", /k\d+/, { timeout: 300_000 });
  await done(page);
  await screenshots(page, testInfo, "adapters-measured");
  const compared = await record(page);
  const [fresh, base] = [measure(compared, "lora"), measure(compared, "base")];
  for (const arm of ["lora-seed1-step2", "lora-2"]) {
    expect(said(measure(compared, arm)), arm).toEqual(said(trained));
    expect(measure(compared, arm).step).toBe(0);
  }
  expect(said(fresh)).toEqual(said(base));
  expect(fresh.shift.kl).toBe(0);
  expect(fresh.cells).not.toBe(undefined);
  expect(compared.events.filter(({ type }) => type === "step")).toEqual([]);

  // The run opens again where there are no adapters, and a link that names one says so.
  await page.locator("#import-json").setInputFiles([{ name: "run.json", mimeType: "application/json", buffer: Buffer.from(JSON.stringify(compared)) }]);
  await expect(page.locator("#source")).toHaveAttribute("data-source", "imported");
  await page.reload();
  expect(await waitForEngine(page)).toBe(engine);
  await expect(page.locator('[data-arm-card="lora-2"] [data-setting="start"]')).toHaveValue("lora-2");
  await play(page);
  await expect(page.locator("#alerts .alert")).toContainText("starts from the adapter lora-seed1-step2, which is not here");
});

/** The base's and the arm's answer to a question. */
async function ask(page, question) {
  await askArms(page, question);
  const answers = ["base", "lora"].map((arm) => page.locator(`[data-answer="${arm}"] .answer`));
  for (const answer of answers) await expect(answer).toContainText("token", { timeout: 300_000 });
  return Promise.all(answers.map((answer) => answer.locator(".tokens").innerText()));
}

test("strength changes answers and wall at once, and leaves the arm as it is", async ({ page, site }, testInfo) => {
  const engine = testInfo.project.name === "webgpu" ? "webgpu" : "cpu";
  test.setTimeout(900_000);
  await open(page, site, engine, SMALL, ["lora r=4 lr=0.05 warmup=0"]);
  await play(page);
  await done(page);
  const trained = measure(await record(page), "lora");
  const question = "What is the capital of Kenya?";
  const [base, tuned] = await ask(page, question);
  expect(tuned).not.toBe(base);
  const title = page.locator('[data-wall-of="lora"] h3');
  const strength = async (value, text) => {
    await openDrawer(page, "weights");
    await page.locator("#strength-0").fill(value);
    await openDrawer(page, "");
    await expect(title).toHaveText(text, { timeout: 300_000 });
    const { events } = await record(page);
    return events.filter(({ type }) => type === "strength").at(-1);
  };
  const half = await strength("0.5", "LoRA, λ 0.5");
  expect(half.kl).toBeGreaterThan(0);
  expect(half.kl).toBeLessThan(trained.shift.kl);
  await openDrawer(page, "weights");
  for (const name of ["strength-recall", "strength-kl"]) {
    expect(await expectPicture(page, name, 250)).toBe(`driftscope-${name}-step2.png`);
  }
  await screenshots(page, testInfo, "strength");
  const none = await strength("0", "LoRA, λ 0.0");
  expect([none.kl, none.unshifted, none.measure.shift.kl]).toEqual([0, 1, 0]);
  expect(none.measure.cells).toMatch(/^k+$/);
  expect(await ask(page, question)).toEqual([base, base]);
  await openDrawer(page, "weights");
  await page.getByRole("button", { name: "Switch on" }).click();
  await openDrawer(page, "");
  await expect(title).toHaveText("LoRA", { timeout: 300_000 });
  expect(await ask(page, question)).toEqual([base, tuned]);
  const whole = (await record(page)).events.filter(({ type }) => type === "strength").at(-1);
  expect(said(whole.measure)).toEqual(said(trained));
});

test("what is no adapter of this model is refused, and the stage stays @plain", async ({ page, site }) => {
  await open(page, site, "cpu", SMALL, ARMS.slice(0, 1));
  await play(page);
  await done(page);
  const { bytes, files } = await saved(page, "lora");
  const alert = page.locator("#alerts .alert");
  const refuse = async (chosen, ...texts) => {
    await choose(page, chosen);
    for (const text of texts) await expect(alert).toContainText(text);
    await alert.getByRole("button").click();
  };
  const config = JSON.parse(files["adapter_config.json"].toString("utf8"));
  const tensors = file("adapter_model.safetensors", files["adapter_model.safetensors"]);
  const withConfig = (changes) => [file("adapter_config.json", JSON.stringify({ ...config, ...changes })), tensors];
  await refuse([file("mine.zip", bytes.subarray(0, bytes.length / 2))], "mine.zip is damaged or no zip file");
  await refuse([file("mine.zip", "<img src=x onerror=alert(1)>")], "mine.zip is damaged");
  await refuse([file("notes.txt", "hello")], "no adapter_config.json");
  await refuse([file("adapter_config.json", "{}")], "adapter_model.safetensors is missing");
  await refuse(withConfig({ peft_type: "IA3" }), "adapter_config.json: peft_type IA3", "without it");
  await refuse(withConfig({ r: 5 }), "adapter_model.safetensors", "shape", "made for this model");
  const bomb = await writeZip([
    { name: "adapter_config.json", blob: new Blob(["{}"]) },
    { name: "adapter_model.safetensors", blob: new Blob([new Uint8Array(40e6)]) },
  ]);
  await refuse([file("bomb.zip", Buffer.from(await bomb.arrayBuffer()))], "bomb.zip/adapter_model.safetensors has 40.0 MB", "at most");
  await expect(page.locator("#adapters-list li")).toHaveCount(0);
  // The arm is still there and answers.
  await askArms(page, "What is the capital of Kenya?");
  await expect(page.locator('[data-answer="lora"] .answer')).toContainText("token", { timeout: 120_000 });
});

// A visitor brings another model: files, a folder, an address. What cannot run is refused, and the stage stays.
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ask, expect, exportRecord, openDrawer, openPage, screenshots, test, waitForEngine } from "./helpers.js";

const repository = fileURLToPath(new URL("../..", import.meta.url));
// Atlas again, as if it were theirs.
const THEIRS = `${repository}models/atlas/`;
const FILES = readdirSync(THEIRS).map((name) => THEIRS + name);
const SMALL_RUN = { steps: 3, batch: 2, max_len: 48, measure_every: 3, probes: 4, asked: 0, shift_prompts: 1, answer_len: 8, examples: 2 };

async function open(page, site, engine, settings = SMALL_RUN, arms = ["lora lr=0.003"]) {
  const hash = new URLSearchParams({ v: "2", engine, ...settings });
  for (const arm of arms) hash.append("arm", arm);
  await openPage(page, site, `#${hash}`);
  expect(await waitForEngine(page)).toBe(engine);
  await openDrawer(page, "models");
}

const status = (page) => page.locator("#model-status");
/** The engine looks at a model when it has warmed up. */
const looked = (page, text) => expect(status(page)).toHaveText(text, { timeout: 120_000 });

async function load(page, way, title) {
  await page.getByRole("button", { name: `Load for ${way}`, exact: true }).click();
  await expect(status(page)).toHaveText(new RegExp(`^${title}.* is loaded`), { timeout: 180_000 });
}

/** Trains, and gives the losses of the one arm. */
async function train(page, timeout) {
  await page.getByRole("button", { name: "Play", exact: true }).click();
  await expect(page.locator("html")).toHaveAttribute("data-run", "done", { timeout });
  return (await exportRecord(page)).events.filter(({ type }) => type === "step").map(({ loss }) => loss);
}

test("a model's folder is inspected, loaded and trained", async ({ page, site }, testInfo) => {
  const engine = testInfo.project.name === "webgpu" ? "webgpu" : "cpu";
  await open(page, site, engine);
  await page.locator("#model-files").setInputFiles(FILES);
  await looked(page, /parameters: \d+ layers/);
  const ways = page.locator("#model-ways tbody tr");
  await expect(ways).toHaveCount(engine === "webgpu" ? 8 : 2);
  await expect(ways.first()).toContainText("LoRA");
  await screenshots(page, testInfo, "model-inspected");
  await load(page, engine === "webgpu" ? "LoRA, base in f16, with checkpoints" : "LoRA", "Your model");
  const losses = await train(page, 300_000);
  expect(losses).toHaveLength(3);
  expect(losses[2]).toBeLessThan(losses[0]);
});

test("what is no model is refused, and the run goes on @plain", async ({ page, site, errors }) => {
  await open(page, site, "cpu");
  const alert = page.locator("#alerts .alert");
  const refuse = async (files, text) => {
    await page.locator("#model-files").setInputFiles(files);
    await expect(alert).toContainText(text);
    await alert.getByRole("button").click();
  };
  const file = (name, buffer) => ({ name, mimeType: "application/octet-stream", buffer: Buffer.from(buffer) });
  await refuse([file("notes.txt", "hello")], "There is no model among these files (notes.txt)");
  await refuse([file("a.gguf", ""), file("b.gguf", "")], "2 GGUF files");
  await refuse([file("broken.gguf", "GGUF\x03\0\0\0")], "the GGUF file");
  await refuse([file("hostile.gguf", "<img src=x onerror=alert(1)>")], "it does not begin with GGUF");
  await refuse(FILES.filter((path) => !path.endsWith("tokenizer.json")), "tokenizer.json");
  const weights = readFileSync(`${THEIRS}model.safetensors`);
  const others = FILES.filter((path) => !path.endsWith("model.safetensors"));
  const [config, tokenizer] = ["config.json", "tokenizer.json"].map((name) => file(name, readFileSync(THEIRS + name)));
  await refuse([config, tokenizer, file("model.safetensors", weights.subarray(0, weights.length / 2))], "model.safetensors");
  expect(others.length).toBeGreaterThan(1);
  // Atlas is still loaded.
  expect(await train(page, 300_000)).toHaveLength(3);
  expect(errors).toEqual([]);
});

test("a model is fetched from an address, resumed, kept and removed @plain", async ({ page, site, errors }) => {
  const asked = [];
  await page.route("https://models.test/**", (route) => {
    const name = new URL(route.request().url()).pathname.split("/").at(-1);
    const headers = { "Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "Range" };
    const range = route.request().headers().range;
    if (route.request().method() === "OPTIONS") return route.fulfill({ status: 204, headers });
    asked.push(`${name} ${range ?? ""}`.trim());
    const path = FILES.find((file) => file.endsWith(`/${name}`));
    if (!path) return route.fulfill({ status: 404, headers });
    const body = readFileSync(path);
    const from = Number(range?.match(/\d+/)?.[0] ?? 0);
    return route.fulfill({ status: from > 0 ? 206 : 200, headers, body: body.subarray(from) });
  });
  await open(page, site, "cpu");
  // The connection breaks in the middle of the weights.
  await page.evaluate(() => {
    const fetched = window.fetch;
    let isFirst = true;
    window.fetch = async (address, options) => {
      const response = await fetched(address, options);
      if (!`${address}`.endsWith("model.safetensors") || !isFirst) return response;
      isFirst = false;
      const bytes = new Uint8Array(await response.arrayBuffer());
      let sent = false;
      const stream = new ReadableStream({
        pull(controller) {
          if (sent) return controller.error(new TypeError("network error"));
          sent = true;
          controller.enqueue(bytes.slice(0, 1000));
        },
      });
      return new Response(stream, { headers: { "Content-Length": `${bytes.length}` } });
    };
  });
  const address = page.getByLabel("Address, or a Hub repository");
  await address.fill("https://models.test/theirs");
  await page.getByRole("button", { name: "Fetch", exact: true }).click();
  await expect(page.locator("#alerts .alert")).toContainText("network error");
  await page.locator("#alerts .alert button").click();
  await page.getByRole("button", { name: "Fetch", exact: true }).click();
  await looked(page, /^theirs, .* parameters/);
  expect(asked.at(-1)).toBe("model.safetensors bytes=1000-");
  const kept = page.locator("#model-kept li");
  await expect(kept).toContainText("theirs");
  await load(page, "LoRA", "theirs");
  // Without a network.
  await page.unroute("https://models.test/**");
  await kept.getByRole("button", { name: "Open" }).click();
  await looked(page, /^theirs, .* parameters/);
  await load(page, "LoRA", "theirs");
  await page.getByRole("button", { name: "Remove theirs" }).click();
  await expect(kept).toHaveCount(0);
  // What is not there, and what does not answer.
  const alert = page.locator("#alerts .alert");
  await page.route("https://models.test/**", (route) =>
    route.fulfill({ status: 404, headers: { "Access-Control-Allow-Origin": "*" } }),
  );
  await address.fill("https://models.test/none/");
  await page.getByRole("button", { name: "Fetch", exact: true }).click();
  await expect(alert).toContainText("There is no config.json");
  await alert.getByRole("button").click();
  await page.route("https://models.test/**", (route) => route.abort());
  await page.getByRole("button", { name: "Fetch", exact: true }).click();
  await expect(alert).toContainText("CORS");
  errors.length = 0; // other hosts, and their failures, were asked for
});

/** The path of SmolLM2's GGUF file; null where it is not here and can't be fetched. */
function smollm2() {
  try {
    return execFileSync(`${repository}scripts/smollm2`, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return null;
  }
}

test("SmolLM2-135M answers as in transformers, and trains, on the CPU engine @plain", async ({ page, site }, testInfo) => {
  const path = smollm2();
  test.skip(path === null, "SmolLM2-135M is not here and can't be fetched");
  test.setTimeout(1_800_000);
  await open(page, site, "cpu", { ...SMALL_RUN, probes: 2, answer_len: 2 }, ["lora lr=0.001"]);
  const begun = Date.now();
  await page.locator("#model-files").setInputFiles(path);
  await looked(page, /134,515,008 parameters: 30 layers/);
  const inspected = Date.now();
  await load(page, "LoRA", "SmolLM2");
  const memory = await page.locator("#machine-list").innerText();
  console.log(`SmolLM2: inspected in ${inspected - begun} ms, loaded in ${Date.now() - inspected} ms; ${memory.replaceAll("\n", " ")}`);
  const bytes = Number(memory.match(/([\d.]+) MB beside/)[1]) * 1e6;
  expect(bytes).toBeLessThan(1.3 * 134_515_008 * 4);
  const losses = await train(page, 1_200_000);
  console.log(`SmolLM2 on the CPU engine: losses ${losses.join(", ")}`);
  expect(losses.at(-1)).toBeLessThan(losses[0]);
  for (const { question, answer } of JSON.parse(readFileSync(`${repository}tests/fixtures/smollm2.json`, "utf8"))) {
    await ask(page, question);
    const base = page.locator("[data-answer=base] .answer");
    await expect(base).toContainText(answer.slice(0, 40), { timeout: 300_000 });
  }
});

test("two layers of SmolLM2 train on WebGPU @webgpu", async ({ page, site }) => {
  const path = smollm2();
  test.skip(path === null, "SmolLM2-135M is not here and can't be fetched");
  test.setTimeout(1_200_000);
  await open(page, site, "webgpu", { ...SMALL_RUN, probes: 2, answer_len: 2 });
  await page.locator("#model-files").setInputFiles(path);
  await looked(page, /30 layers/);
  await page.getByLabel("Layers kept").fill("2");
  await page.getByLabel("Layers kept").press("Enter");
  await looked(page, /: 2 layers/);
  await load(page, "LoRA", "SmolLM2");
  const losses = await train(page, 900_000);
  console.log(`two layers of SmolLM2 on WebGPU: losses ${losses.join(", ")}; ${(await page.locator("#machine-list").innerText()).replaceAll("\n", " ")}`);
  expect(losses.at(-1)).toBeLessThan(losses[0]);
});

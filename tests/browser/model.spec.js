// A visitor brings another model: files, a folder, an address. What cannot run is refused, and the stage stays.
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { createServer } from "node:http";
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

/** Another host with the files of a model, which lets other pages read them. `state` says what it does. */
async function otherHost(state) {
  const headers = { "Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "Range" };
  const server = createServer((request, response) => {
    if (state.isGone) return request.socket.destroy();
    if (request.method === "OPTIONS") return response.writeHead(204, headers).end();
    const name = new URL(request.url, "http://other").pathname.split("/").at(-1);
    const range = request.headers.range;
    state.asked.push(`${name} ${range ?? ""}`.trim());
    const path = request.url.startsWith("/theirs/") && FILES.find((file) => file.endsWith(`/${name}`));
    if (!path) return response.writeHead(404, headers).end();
    const body = readFileSync(path);
    const from = Number(range?.match(/\d+/)?.[0] ?? 0);
    response.writeHead(from > 0 ? 206 : 200, { ...headers, "Content-Length": body.length - from });
    if (name !== "model.safetensors" || !state.breaks) return response.end(body.subarray(from));
    state.breaks = false;
    response.write(body.subarray(0, 1000), () => setTimeout(() => request.socket.destroy(), 200));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

test("a model is fetched from another host, resumed, kept and removed @plain", async ({ page, site, errors }) => {
  const state = { asked: [], breaks: true, isGone: false };
  const other = await otherHost(state);
  await open(page, site, "cpu");
  const alert = page.locator("#alerts .alert");
  const fetchIt = page.getByRole("button", { name: "Fetch", exact: true });
  const address = page.getByLabel("Address, or a Hub repository");
  await address.fill(`${other.url}/theirs`);
  // The connection breaks in the middle of the weights.
  await fetchIt.click();
  await expect(alert).toContainText("network error");
  await alert.getByRole("button").click();
  await fetchIt.click();
  await looked(page, /^theirs, .* parameters/);
  expect(state.asked.at(-1)).toBe("model.safetensors bytes=1000-");
  const kept = page.locator("#model-kept li");
  await expect(kept).toContainText("theirs");
  await load(page, "LoRA", "theirs");
  // Without a network.
  state.isGone = true;
  await kept.getByRole("button", { name: "Open" }).click();
  await looked(page, /^theirs, .* parameters/);
  await load(page, "LoRA", "theirs");
  await page.getByRole("button", { name: "Remove theirs" }).click();
  await expect(kept).toHaveCount(0);
  // What does not answer, and what is not there.
  await fetchIt.click();
  await expect(alert).toContainText("CORS");
  await alert.getByRole("button").click();
  state.isGone = false;
  await address.fill(`${other.url}/none/`);
  await fetchIt.click();
  await expect(alert).toContainText("There is no config.json");
  other.close();
  errors.length = 0; // another host, and its failures, were asked for
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

// What the specs about models share: Atlas's files as if they were a visitor's, the steps of bringing a model, another host.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { expect, exportRecord, openDrawer, openPage, waitForEngine } from "./helpers.js";

export const repository = fileURLToPath(new URL("../..", import.meta.url));
export const THEIRS = `${repository}models/atlas/`;
export const FILES = readdirSync(THEIRS).map((name) => THEIRS + name);
export const SMALL_RUN = { steps: 3, batch: 2, max_len: 48, measure_every: 3, probes: 4, asked: 0, shift_prompts: 1, answer_len: 8, samples: 2, examples: 2 };

/** Atlas in a folder of its own, its tensors in two files and an index. */
export function writeShards(folder) {
  mkdirSync(folder, { recursive: true });
  for (const name of ["config.json", "tokenizer.json", "tokenizer_config.json"]) copyFileSync(THEIRS + name, `${folder}/${name}`);
  const bytes = readFileSync(`${THEIRS}model.safetensors`);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const { __metadata__: _, ...tensors } = JSON.parse(bytes.subarray(8, start).toString("utf8"));
  const weight_map = {};
  for (const half of [0, 1]) {
    const shard = `model-0000${half + 1}-of-00002.safetensors`;
    const [header, parts] = [{}, []];
    let end = 0;
    for (const [name, tensor] of Object.entries(tensors).filter((_, i) => i % 2 === half)) {
      const [from, to] = tensor.data_offsets;
      header[name] = { ...tensor, data_offsets: [end, (end += to - from)] };
      parts.push(bytes.subarray(start + from, start + to));
      weight_map[name] = shard;
    }
    const head = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(head.length));
    writeFileSync(`${folder}/${shard}`, Buffer.concat([length, head, ...parts]));
  }
  writeFileSync(`${folder}/model.safetensors.index.json`, JSON.stringify({ weight_map }));
}

export async function open(page, site, engine, settings = SMALL_RUN, arms = ["lora lr=0.003"]) {
  const hash = new URLSearchParams({ v: "2", engine, ...settings });
  for (const arm of arms) hash.append("arm", arm);
  await openPage(page, site, `#${hash}`);
  expect(await waitForEngine(page)).toBe(engine);
  await openDrawer(page, "models");
}

export const status = (page) => page.locator("#model-status");
/** The engine looks at a model when it has warmed up. */
export const looked = (page, text) => expect(status(page)).toHaveText(text, { timeout: 120_000 });

export async function load(page, way, title) {
  await page.getByRole("button", { name: `Load for ${way}`, exact: true }).click();
  await expect(status(page)).toHaveText(new RegExp(`^${title}.* is loaded`), { timeout: 180_000 });
}

/** Trains, and gives the losses of the one arm. */
export async function train(page, timeout = 300_000) {
  await page.getByRole("button", { name: "Play", exact: true }).click();
  await expect(page.locator("html")).toHaveAttribute("data-run", "done", { timeout });
  return (await exportRecord(page)).events.filter(({ type }) => type === "step").map(({ loss }) => loss);
}

/** A file as a visitor chooses it. */
export const file = (name, content) => ({ name, mimeType: "application/octet-stream", buffer: Buffer.from(content) });
/** One of Atlas's. */
export const theirs = (name) => file(name, readFileSync(THEIRS + name));

/** Sees an alert that says all of this, and dismisses it. */
export async function refused(page, ...texts) {
  const alert = page.locator("#alerts .alert");
  for (const text of texts) await expect(alert).toContainText(text);
  await alert.getByRole("button").click();
}

/**
 * Another host with Atlas's files in /theirs. `state` says what it does, and collects in `asked` what it is asked for:
 * - `isGone`: it does not answer; `isClosed`: it lets no other page read its files;
 * - `breaks`: the connection breaks in the middle of the weights, once; `endsEarly`: they end there, as if that were all;
 * - `hasNoRanges`: it sends files from their beginning only; `hasNoSizes`: it does not say how long they are.
 */
export async function otherHost(state) {
  state.asked = [];
  const headers = () => (state.isClosed ? {} : { "Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "Range" });
  const server = createServer((request, response) => {
    if (state.isGone) return request.socket.destroy();
    if (request.method === "OPTIONS") return response.writeHead(204, headers()).end();
    const name = new URL(request.url, "http://other").pathname.split("/").at(-1);
    const range = request.headers.range;
    state.asked.push(`${name} ${range ?? ""}`.trim());
    const path = request.url.startsWith("/theirs/") && FILES.find((path) => path.endsWith(`/${name}`));
    if (!path) return response.writeHead(404, headers()).end();
    const body = readFileSync(path);
    const from = state.hasNoRanges ? 0 : Number(range?.match(/\d+/)?.[0] ?? 0);
    const size = state.hasNoSizes ? {} : { "Content-Length": body.length - from };
    response.writeHead(from > 0 ? 206 : 200, { ...headers(), ...size });
    const isCut = name === "model.safetensors" && (state.breaks || state.endsEarly);
    if (!isCut) return response.end(body.subarray(from));
    if (!state.breaks) return response.end(body.subarray(from, 1000));
    state.breaks = false;
    response.write(body.subarray(0, 1000), () => setTimeout(() => request.socket.destroy(), 200));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

/** The path of SmolLM2's GGUF file; null where it is not here and can't be fetched. */
export function smollm2() {
  try {
    return execFileSync(`${repository}scripts/smollm2`, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return null;
  }
}

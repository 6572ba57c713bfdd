// What can't be a model, or not on this machine, is refused by name and with a remedy; the model that is loaded goes on.
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, exportRecord, openDrawer, screenshots, test } from "./helpers.js";
import { FILES, THEIRS, file, looked, open, refused, repository, theirs, train } from "./models.js";

const choose = (page, files) => page.locator("#model-files").setInputFiles(files);

test("what is no model is refused, and the run goes on @plain", async ({ page, site, errors }) => {
  await open(page, site, "cpu");
  const refuse = async (files, ...texts) => {
    await choose(page, files);
    await refused(page, ...texts);
  };
  await refuse([file("notes.txt", "hello")], "There is no model among these files (notes.txt)");
  await refuse([file("a.gguf", ""), file("b.gguf", "")], "2 GGUF files");
  await refuse([file("broken.gguf", "GGUF\x03\0\0\0")], "the GGUF file");
  await refuse([file("hostile.gguf", "<img src=x onerror=alert(1)>")], "it does not begin with GGUF");
  await refuse(FILES.filter((path) => !path.endsWith("tokenizer.json")), "tokenizer.json");
  const weights = readFileSync(`${THEIRS}model.safetensors`);
  const half = file("model.safetensors", weights.subarray(0, weights.length / 2));
  await refuse([theirs("config.json"), theirs("tokenizer.json"), half], "model.safetensors");
  // Atlas is still loaded.
  expect(await train(page)).toHaveLength(3);
  expect(errors).toEqual([]);
});

test("another model's tokenizer is refused or noticed, and the model that is loaded goes on @plain", async ({ page, site }) => {
  await open(page, site, "cpu");
  const other = (name) => file(name, readFileSync(`${repository}tests/fixtures/real/bos/${name}`));
  // More tokens than the weights have rows.
  await choose(page, [other("config.json"), other("model.safetensors"), theirs("tokenizer.json"), theirs("tokenizer_config.json")]);
  await refused(page, "tokenizer.json: vocabulary: 2048 tokens, the model has 293", "Use the tokenizer that belongs to this model");
  // Without the token that ends an answer.
  await choose(page, [theirs("config.json"), theirs("model.safetensors"), other("tokenizer.json"), theirs("tokenizer_config.json")]);
  await refused(page, "<|end|> is not a token of tokenizer.json", "Use the tokenizer that belongs to this model");
  // It could be: padded vocabularies are usual, but not by so much.
  await choose(page, [theirs("config.json"), theirs("model.safetensors"), other("tokenizer.json"), other("tokenizer_config.json")]);
  await looked(page, /parameters: 4 layers/);
  await expect(page.locator("#model-ways")).toContainText("the tokenizer has 293 tokens, the model 2048: it may be another model's");
  expect(await train(page)).toHaveLength(3);
});

/** The header of a safetensors file with these tensors in f16, by name and shape, and the bytes that follow it. */
function headerOf(tensors) {
  let size = 0;
  const header = {};
  for (const [name, shape] of tensors) {
    const begin = size;
    size += 2 * shape.reduce((product, side) => product * side, 1);
    header[name] = { dtype: "F16", shape, data_offsets: [begin, size] };
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return { header: Buffer.concat([length, text]), size };
}

/**
 * The files of a model of this shape in f16, whose weights are holes in files: they take no room on the disk.
 * `use` gets their paths.
 */
async function withSparse({ layers, width, hidden, shards = 1 }, use) {
  const folder = mkdtempSync(join(tmpdir(), "driftscope-"));
  const config = JSON.parse(readFileSync(`${THEIRS}config.json`, "utf8"));
  Object.assign(config, { num_hidden_layers: layers, hidden_size: width, intermediate_size: hidden });
  Object.assign(config, { num_attention_heads: width / 64, num_key_value_heads: width / 64, head_dim: 64 });
  const tensors = [["model.embed_tokens.weight", [config.vocab_size, width]], ["model.norm.weight", [width]]];
  for (let layer = 0; layer < layers; layer += 1) {
    const at = `model.layers.${layer}`;
    for (const name of ["q", "k", "v", "o"]) tensors.push([`${at}.self_attn.${name}_proj.weight`, [width, width]]);
    for (const name of ["gate", "up"]) tensors.push([`${at}.mlp.${name}_proj.weight`, [hidden, width]]);
    tensors.push([`${at}.mlp.down_proj.weight`, [width, hidden]]);
    for (const name of ["input", "post_attention"]) tensors.push([`${at}.${name}_layernorm.weight`, [width]]);
  }
  const paths = [`${THEIRS}tokenizer.json`, `${THEIRS}tokenizer_config.json`];
  const write = (name, content) => {
    writeFileSync(join(folder, name), content);
    paths.push(join(folder, name));
  };
  write("config.json", JSON.stringify(config));
  const names = Array.from({ length: shards }, (_, n) => (shards === 1 ? "model.safetensors" : `model-${n + 1}.safetensors`));
  const shardOf = (i) => names[Math.floor((i * shards) / tensors.length)];
  for (const name of names) {
    const { header, size } = headerOf(tensors.filter((_, i) => shardOf(i) === name));
    write(name, header);
    truncateSync(join(folder, name), header.length + size);
  }
  const weight_map = Object.fromEntries(tensors.map(([name], i) => [name, shardOf(i)]));
  if (shards > 1) write("model.safetensors.index.json", JSON.stringify({ weight_map }));
  try {
    return await use(paths);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** 2.2 billion parameters: in f32 twice what a page can address. */
const TWICE = { layers: 33, width: 2048, hidden: 8192, shards: 2 };

test("a model of twice the memory is refused with what would fit, and the model that is loaded goes on", async ({ page, site }, testInfo) => {
  const engine = testInfo.project.name === "webgpu" ? "webgpu" : "cpu";
  test.setTimeout(600_000);
  await open(page, site, engine);
  await train(page);
  const before = await exportRecord(page);
  await openDrawer(page, "models");
  await withSparse(TWICE, async (paths) => {
    await choose(page, paths);
    await looked(page, /2,2\d\d,\d\d\d,\d\d\d parameters: 33 layers/);
    const ways = page.locator("#model-ways tbody tr");
    await expect(ways.getByRole("button", { disabled: true })).toHaveCount(engine === "webgpu" ? 8 : 2);
    const refusal = engine === "webgpu" ? /needs 8\d+\.\d MB of GPU memory, the adapter allows 1073.7 MB/ : /It takes 9\d+\.\d MB, and 4\d+\.\d MB are free/;
    await expect(ways.first()).toContainText(refusal);
    const fits = page.locator("#model-fits");
    await expect(fits).toHaveText("None of this fits here, so the loaded model stays. Try a smaller model, or fewer layers of this one.");
    await screenshots(page, testInfo, "model-too-large");
    // Fewer layers fit, one way or another.
    await page.getByLabel("Layers kept").fill("5");
    await page.getByLabel("Layers kept").press("Enter");
    await looked(page, /: 5 layers/);
    await expect(fits).toHaveText(engine === "webgpu" ? /^What fits here: LoRA, base in f16/ : "What fits here: LoRA.");
  });
  // More than a page's numbers count, in one file and in all.
  await withSparse({ ...TWICE, shards: 1 }, async (paths) => {
    await choose(page, paths);
    await refused(page, "model.safetensors: the file: 4437.9 MB are more than a page can address", "Use the same model in shards");
  });
  await withSparse({ ...TWICE, layers: 66, shards: 3 }, async (paths) => {
    await choose(page, paths);
    await refused(page, /the model needs 177\d\d\.\d MB of memory, 4295\.0 MB are free\. Use a smaller model/);
  });
  expect(await exportRecord(page)).toEqual(before);
  await openDrawer(page, "setup");
  await page.locator("#set-seed").fill("2");
  await page.locator("#set-seed").press("Enter");
  expect(await train(page)).toHaveLength(3);
});

test("a browser that gives less memory than it can address refuses a model, and keeps the one that is loaded @plain", async ({ playwright, site }, testInfo) => {
  const { executablePath, args } = testInfo.project.use.launchOptions;
  const browser = await playwright.chromium.launch({ executablePath, args: [...args, "--js-flags=--wasm-max-mem-pages=4096"] }); // 256 MiB
  const page = await browser.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  await open(page, site, "cpu");
  await withSparse({ layers: 12, width: 768, hidden: 2048 }, async (paths) => {
    await choose(page, paths);
    await looked(page, /: 12 layers/);
    await page.getByRole("button", { name: "Load for LoRA", exact: true }).click();
    await refused(page, /the model needs 3\d\d\.\d MB of memory, \d+\.\d MB are free/, "Use a smaller model, or keep fewer of its layers");
  });
  expect(await train(page)).toHaveLength(3);
  expect(errors).toEqual([]);
  await browser.close();
});

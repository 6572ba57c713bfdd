// Archives that visitors bring: what is in them, and what is refused before it is unpacked.
import assert from "node:assert/strict";
import { test } from "node:test";
import { AdapterError, adaptersAmong, nameOf } from "../../www/js/models/adapter-files.js";
import { ZipError, openZip, writeZip } from "../../www/js/models/zip.js";

const CONFIG = "adapter_config.json";
const TENSORS = "adapter_model.safetensors";
const MOST = 1000;
const file = (name, text) => ({ name, blob: new Blob([text]) });
const adapter = (folder = "") => [file(folder + CONFIG, "{}"), file(folder + TENSORS, "contents")];
const zipped = async (files) => ({ path: "mine.zip", blob: await writeZip(files) });
const bytesOf = async ({ blob }) => new Uint8Array(await blob.arrayBuffer());

/** The archive with a 32-bit number in the place of another, wherever it stands. */
async function patched(zip, from, to) {
  const bytes = await bytesOf(zip);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i + 4 <= bytes.length; i += 1) if (view.getUint32(i, true) === from) view.setUint32(i, to, true);
  return { ...zip, blob: new Blob([bytes]) };
}

/** The archive with other names of the same length. */
async function renamed(zip, from, to) {
  const text = Buffer.from(await bytesOf(zip)).toString("latin1").replaceAll(from, to);
  return { ...zip, blob: new Blob([Buffer.from(text, "latin1")]) };
}

async function refused(files, ...words) {
  await assert.rejects(
    () => adaptersAmong([files].flat(), MOST, []),
    (error) => {
      assert.ok(error instanceof AdapterError || error instanceof ZipError, `${error?.stack}`);
      for (const word of words) assert.ok(error.message.includes(word), error.message);
      return true;
    },
  );
}

test("what is packed is unpacked", async () => {
  const zip = await zipped([file("a.txt", "one"), file("b/c.txt", "two")]);
  const entries = await openZip(zip.path, zip.blob);
  assert.deepEqual(entries.map(({ path, size }) => [path, size]), [["a.txt", 3], ["b/c.txt", 3]]);
  assert.equal(await (await entries[1].read()).text(), "two");
});

test("adapters are found in folders and archives, each with a name of its own", async () => {
  const plain = adapter("runs/My LoRA/").map(({ name, blob }) => ({ path: name, blob }));
  const found = await adaptersAmong([await zipped(adapter()), ...plain, await zipped(adapter("a/"))], MOST, ["mine"]);
  assert.deepEqual(found.map(({ name }) => name), ["mine-2", "my-lora", "a"]);
  assert.equal(await found[0].blobs[1].text(), "contents");
  assert.equal(nameOf("base.zip", []), "adapter");
  assert.equal(nameOf("ÄÖ", ["adapter"]), "adapter-2");
  assert.equal(nameOf("a".repeat(30), ["a".repeat(24)]), `${"a".repeat(22)}-2`);
});

test("what is no adapter is refused by name", async () => {
  await refused({ path: "notes.txt", blob: new Blob(["hello"]) }, "no adapter_config.json", "notes.txt");
  await refused(await zipped([file("readme.md", "hello")]), "no adapter_config.json", "mine.zip/readme.md");
  await refused(await zipped(adapter("a/").slice(0, 1)), "mine.zip/a/adapter_model.safetensors is missing");
  await refused(await zipped([adapter()[0], file("adapter_model.bin", "x")]), "safe_serialization");
});

test("a damaged archive is refused", async () => {
  const zip = await zipped(adapter());
  const bytes = await bytesOf(zip);
  await refused({ ...zip, blob: new Blob([bytes.slice(0, bytes.length / 2)]) }, "mine.zip is damaged or no zip file");
  await refused({ ...zip, blob: new Blob(["PK\x03\x04 and nothing more"]) }, "mine.zip is damaged");
  await refused({ ...zip, blob: new Blob([]) }, "mine.zip is damaged");
  await refused(await renamed(zip, "contents", "Contents"), TENSORS, "damaged", "CRC32");
});

test("an archive that would fill the memory is refused before it is unpacked", async () => {
  await refused(await zipped([adapter()[0], file(TENSORS, "x".repeat(MOST + 1))]), TENSORS, "at most 0.0 MB");
  const config = file(CONFIG, " ".repeat((1 << 20) + 1));
  await refused(await zipped([config, adapter()[1]]), CONFIG, "1.0 MB");
  // An entry that claims 4 GB, one whose sizes are not its own.
  const text = "t".repeat(777);
  const zip = await zipped([adapter()[0], file(TENSORS, text)]);
  await refused(await patched(zip, text.length, 0xfffffff0), TENSORS, "4295.0 MB");
  await refused(await patched(zip, text.length, 5), TENSORS, "mine.zip");
});

test("names that point out of the archive are refused", async () => {
  const [{ blob }, tensors] = adapter();
  for (const name of [`../${CONFIG}`, `/ab${CONFIG}`, `C:/${CONFIG}`, `..\\${CONFIG}`]) {
    const inside = `xyz${CONFIG}`.slice(0, name.length).padEnd(name.length, "y");
    const zip = await renamed(await zipped([{ name: inside, blob }, tensors]), inside, name);
    await refused(zip, "points out of the archive", name);
  }
});

// Which files make up a model: among those that were chosen, behind an address, and in shards.
import assert from "node:assert/strict";
import { test } from "node:test";
import { INDEX, ModelError, modelAmong, placeOf, shardsOf } from "../../www/js/models/files.js";

const HUB = "https://huggingface.co/owner/tiny-llama/resolve/main/";
const among = (...paths) => modelAmong(paths.map((path) => ({ path, blob: new Blob([path]) })));

test("an address is a repository's name on the Hub, a page of it, a folder or a GGUF file", () => {
  for (const [text, name, folder, gguf] of [
    ["owner/tiny-llama", "tiny-llama", HUB, null],
    [" https://huggingface.co/owner/tiny-llama ", "tiny-llama", HUB, null],
    ["https://huggingface.co/owner/tiny-llama/tree/main", "tiny-llama", HUB, null],
    ["owner/tiny-llama/some-q4.gguf", "some-q4", HUB, "some-q4.gguf"],
    ["https://huggingface.co/owner/tiny-llama/blob/main/some-q4.gguf", "some-q4", HUB, "some-q4.gguf"],
    ["https://example.org/models/a%20b/?x=1#y", "a b", "https://example.org/models/a%20b/", null],
    ["https://example.org/models/c.gguf", "c", "https://example.org/models/", "c.gguf"],
    ["http://localhost:8000/theirs", "theirs", "http://localhost:8000/theirs/", null],
  ]) {
    assert.deepEqual(placeOf(text), { name, folder, gguf }, text);
  }
  for (const text of ["", "no address", "http://example.org/models/", "ftp://example.org/a/"]) {
    assert.throws(() => placeOf(text), ModelError, text);
  }
});

test("a model is a GGUF file, or what lies beside a config.json", () => {
  const folder = among("x/config.json", "x/tokenizer.json", "x/model.safetensors", "x/notes.txt", "x/old/model.safetensors", "y.png");
  assert.deepEqual([folder.name, folder.files], ["x", ["config.json", "tokenizer.json", "model.safetensors"]]);
  const shards = among("x/config.json", `x/${INDEX}`, "x/model-1.safetensors", "x/model-2.safetensors");
  assert.deepEqual(shards.files, ["config.json", INDEX, "model-1.safetensors", "model-2.safetensors"]);
  assert.deepEqual(among("a/some-q4.GGUF").name, "some-q4");
  assert.throws(() => among("a.gguf", "b.gguf"), ModelError);
  assert.throws(() => among("x/model.safetensors"), ModelError);
});

test("an index names its shards, each once, and nothing outside its folder", () => {
  const index = (weight_map) => JSON.stringify({ weight_map });
  assert.deepEqual(shardsOf(index({ a: "m-2.safetensors", b: "m-1.safetensors", c: "m-2.safetensors" })), ["m-1.safetensors", "m-2.safetensors"]);
  for (const damaged of ["{", "{}", index({}), index({ a: "../m.safetensors" }), index({ a: "m.bin" })]) {
    assert.throws(() => shardsOf(damaged), ModelError, damaged);
  }
});

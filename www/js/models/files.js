/**
 * Which files make up a model: of those that a visitor chose or dropped, or behind an address.
 *
 * @typedef {{name: string, files: string[], blobs: Blob[], layers?: number}} Chosen  a model's files by name, their contents in
 *   that order, and how many of its layers are kept, if not all
 */
import { t } from "../ui/text.js";

export const WEIGHTS = "model.safetensors";
export const INDEX = "model.safetensors.index.json";
/** What else a Hugging Face folder may hold that the engine reads; the first two must be there. */
export const SMALL = [
  "config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "generation_config.json",
  "chat_template.jinja",
];

const HUB = "https://huggingface.co/";

/** A choice or an address that is no model. */
export class ModelError extends Error {
  constructor(/** @type {string} */ message) {
    super(message);
    this.name = "model";
  }
}

const isGguf = (/** @type {string} */ name) => /\.gguf$/i.test(name);
const isWeights = (/** @type {string} */ name) => isGguf(name) || /\.safetensors$/.test(name);
const stem = (/** @type {string} */ name) => name.replace(/\.gguf$/i, "");

/**
 * A model among these files, each with its path from where the choice was made.
 * @param {{path: string, blob: Blob}[]} files
 * @returns {Chosen}
 * @throws {ModelError}
 */
export function modelAmong(files) {
  const gguf = files.filter(({ path }) => isGguf(path));
  if (gguf.length > 1) {
    throw new ModelError(t("model-files.many", { n: String(gguf.length) }));
  }
  const main = gguf[0] ?? files.find(({ path }) => path.split("/").at(-1) === "config.json");
  if (!main) {
    const seen = files.map(({ path }) => path).slice(0, 5).join(", ");
    throw new ModelError(t("model-files.none", { seen }));
  }
  const folder = main.path.slice(0, main.path.lastIndexOf("/") + 1);
  const beside = files.filter(({ path }) => path.startsWith(folder) && !path.slice(folder.length).includes("/"));
  const named = beside.map(({ path, blob }) => ({ name: path.slice(folder.length), blob }));
  const used = named.filter(({ name }) => isWeights(name) || name === INDEX || SMALL.includes(name));
  const name = gguf[0] ? stem(main.path.slice(folder.length)) : folder.split("/").at(-2) || t("model-files.yours");
  return { name, files: used.map((file) => file.name), blobs: used.map((file) => file.blob) };
}

/**
 * Where the files of an address lie: of a Hub repository's name, such as `HuggingFaceTB/SmolLM2-135M-Instruct`, of a file
 * in one, or of any folder or GGUF file whose server lets this page read it.
 * @returns {{name: string, folder: string, gguf: string | null}} `gguf`: the file in that folder
 * @throws {ModelError}
 */
export function placeOf(/** @type {string} */ text) {
  const wanted = text.trim();
  const hub = wanted.match(/^([\w.-]+\/[\w.-]+)(?:\/([\w./-]+\.gguf))?$/i);
  if (hub) {
    const folder = `${HUB}${hub[1]}/resolve/main/`;
    return { name: hub[2] ? stem(hub[2]) : hub[1].split("/")[1], folder, gguf: hub[2] ?? null };
  }
  let url;
  try {
    url = new URL(wanted);
  } catch {
    throw new ModelError(wanted ? t("model-files.no-address", { wanted }) : t("model-files.empty"));
  }
  if (url.protocol !== "https:" && !["localhost", "127.0.0.1"].includes(url.hostname)) {
    throw new ModelError(t("model-files.https"));
  }
  // A page of the Hub about a repository, or about a file in it.
  if (url.hostname === "huggingface.co" && !url.pathname.includes("/resolve/")) {
    return placeOf(url.pathname.slice(1).replace(/\/(blob|tree)\/main\/?/, "/").replace(/\/$/, ""));
  }
  url.search = url.hash = "";
  const file = url.pathname.split("/").at(-1) ?? "";
  if (isGguf(file)) return { name: stem(decodeURIComponent(file)), folder: new URL(".", url).href, gguf: file };
  const folder = `${url.href.replace(/\/$/, "")}/`;
  return { name: decodeURIComponent(new URL(folder).pathname.split("/").at(-2) || url.hostname), folder, gguf: null };
}

/** The shards that an index names. @throws {ModelError} */
export function shardsOf(/** @type {string} */ index) {
  let map;
  try {
    map = JSON.parse(index).weight_map;
  } catch {
    map = null;
  }
  const names = [...new Set(Object.values(map ?? {}))].map(String);
  const isPlain = (/** @type {string} */ name) => /^[\w.-]+\.safetensors$/.test(name);
  if (names.length === 0 || names.length > 1000 || !names.every(isPlain)) {
    throw new ModelError(t("model-files.damaged", { index: INDEX }));
  }
  return names.sort();
}

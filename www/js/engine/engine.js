/**
 * The worker's client: starts it, fetches the model and the data, posts commands and hands messages on.
 *
 * @typedef {import("../contract/types.js").Message} Message
 */

import { recall, remember } from "./remembered.js";

const WORKER = "./worker_loader.js?v=__BUILD_VERSION__";
const MODEL = "models/atlas/";
/** How long the WebAssembly may take to arrive and compile. */
const PATIENCE_MS = 120_000;

/** The engine cannot run here; the page plays the recorded run instead. */
class EngineError extends Error {
  constructor(/** @type {string} */ name, /** @type {string} */ message) {
    super(message);
    this.name = name;
  }
}

export class Engine {
  /** @param {(message: Message) => void} onMessage called with every message after `listening` */
  constructor(onMessage) {
    this.onMessage = onMessage;
    /** @type {Worker | null} */
    this.worker = null;
  }

  /** Starts the worker and waits until it listens. */
  start() {
    return new Promise((resolve, reject) => {
      const stop = (/** @type {string} */ message) => {
        clearTimeout(timer);
        this.worker?.terminate();
        this.worker = null;
        reject(new EngineError("worker", message));
      };
      const timer = setTimeout(() => stop("the engine did not answer in two minutes"), PATIENCE_MS);
      if (typeof WebAssembly !== "object") return stop("this browser has no WebAssembly");
      let worker;
      try {
        worker = new Worker(new URL(WORKER, document.baseURI), { type: "module" });
      } catch (error) {
        return stop(String(error));
      }
      this.worker = worker;
      worker.onerror = (event) => stop(event.message || "the engine could not be loaded");
      worker.onmessage = ({ data }) => {
        if (data?.type === "error") return stop(data.message);
        if (data?.type !== "listening") return;
        clearTimeout(timer);
        this.listen(worker);
        resolve(undefined);
      };
    });
  }

  /** @private */
  listen(/** @type {Worker} */ worker) {
    worker.onmessage = ({ data }) => {
      if (data?.type === "found") remember("found", data.json);
      else this.onMessage(data);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.onMessage({ type: "error", name: "worker", message: event.message || "the engine stopped" });
    };
  }

  /** Ends the worker, whatever it does. */
  stop() {
    this.worker?.terminate();
    this.worker = null;
  }

  post(/** @type {import("../contract/types.js").Command} */ command) {
    const transfer = command.type === "load" ? [command.weights.buffer] : [];
    this.worker?.postMessage(command, transfer);
  }
}

/** @typedef {(done: number, total: number) => void} OnBytes  bytes so far, and in all; 0 while that is unknown */

/** Fetches one file. */
async function fetchBytes(/** @type {string} */ path, /** @type {OnBytes} */ onBytes) {
  const response = await fetch(new URL(path, document.baseURI));
  if (!response.ok) throw new EngineError("download", `${path}: the server answered ${response.status}`);
  // Content-Length counts compressed bytes where the host compresses, so it is no total then.
  const isPlain = !response.headers.get("Content-Encoding");
  const total = isPlain ? Number(response.headers.get("Content-Length")) : 0;
  const chunks = [];
  let done = 0;
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    chunks.push(part.value);
    done += part.value.length;
    onBytes(done, total);
  }
  const bytes = new Uint8Array(done);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}

/** Adds up the progress of several files; the total is 0 until it is known for all of them. */
function progressOf(/** @type {string[]} */ names, /** @type {OnBytes} */ onProgress) {
  /** @type {Map<string, {done: number, total: number}>} */
  const seen = new Map();
  return (/** @type {string} */ name) => (/** @type {number} */ done, /** @type {number} */ total) => {
    seen.set(name, { done, total });
    const files = [...seen.values()];
    const sum = (/** @type {"done" | "total"} */ key) => files.reduce((bytes, file) => bytes + file[key], 0);
    const isKnown = files.length === names.length && files.every((file) => file.total > 0);
    onProgress(sum("done"), isKnown ? sum("total") : 0);
  };
}

/** Fetches several files at once: `{ name: path }` becomes `{ name: Uint8Array }`. */
async function fetchAll(/** @type {Record<string, string>} */ paths, /** @type {OnBytes} */ onProgress) {
  const report = progressOf(Object.keys(paths), onProgress);
  const entries = Object.entries(paths).map(async ([name, path]) => [name, await fetchBytes(path, report(name))]);
  return Object.fromEntries(await Promise.all(entries));
}

const decode = (/** @type {Uint8Array} */ bytes) => new TextDecoder().decode(bytes);

/** The facts, the instruction set and the held-out set as texts. */
export async function fetchData() {
  const paths = { facts: "data/facts.jsonl", instructions: "data/instructions.jsonl", heldout: "data/heldout.jsonl" };
  const files = await fetchAll(paths, () => {});
  return { facts: decode(files.facts), instructions: decode(files.instructions), heldout: decode(files.heldout) };
}

/** One more text of the page's data. */
export async function fetchText(/** @type {string} */ path) {
  return decode(await fetchBytes(path, () => {}));
}

/** The files of the model, and what the engine found out about this machine before. */
export async function fetchModel(/** @type {OnBytes} */ onProgress) {
  const names = {
    config: "config.json",
    tokenizer: "tokenizer.json",
    tokenizer_config: "tokenizer_config.json",
    weights: "model.safetensors",
  };
  const paths = Object.fromEntries(Object.entries(names).map(([name, file]) => [name, MODEL + file]));
  const found = recall("found");
  const files = await fetchAll(paths, onProgress);
  return {
    found: await found,
    name: "Atlas",
    config: decode(files.config),
    tokenizer: decode(files.tokenizer),
    tokenizer_config: decode(files.tokenizer_config),
    weights: /** @type {Uint8Array<ArrayBuffer>} */ (files.weights),
  };
}

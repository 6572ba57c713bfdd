/**
 * The worker's client: starts it, fetches the model and the data, posts commands and hands messages on.
 *
 * @typedef {import("../contract/types.js").Message} Message
 */

import { fetchAll, fetchBlob } from "../models/download.js";
import { t } from "../ui/text.js";
import { recall, remember } from "./remembered.js";

const WORKER = "./worker_loader.js?v=__BUILD_VERSION__";
const MODEL = "models/atlas/";
/** How long the WebAssembly may take to arrive and compile. */
const PATIENCE_MS = 120_000;

/** How often the worker is asked whether it is there, and how often it may be silent before the page says so. */
const PING_MS = 5000;
const SILENCES = 12;

/** The engine cannot run here; the page plays the recorded run instead. */
class EngineError extends Error {
  constructor(/** @type {string} */ name, /** @type {string} */ message) {
    super(message);
    this.name = name;
  }
}

export class Engine {
  /**
   * @param {(message: Message) => void} onMessage called with every message after `listening`
   * @param {(isSilent: boolean) => void} onSilence called when the worker has not answered for a minute, and when it does again
   */
  constructor(onMessage, onSilence = () => {}) {
    this.onMessage = onMessage;
    this.onSilence = onSilence;
    /** @type {Worker | null} */
    this.worker = null;
    /** Pings that the worker has not answered. */
    this.silences = 0;
    /** @type {ReturnType<typeof setInterval> | undefined} */
    this.pings = undefined;
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
      const timer = setTimeout(() => stop(t("engine.no-answer")), PATIENCE_MS);
      if (typeof WebAssembly !== "object") return stop(t("engine.no-webassembly"));
      let worker;
      try {
        worker = new Worker(new URL(WORKER, document.baseURI), { type: "module" });
      } catch (error) {
        return stop(String(error));
      }
      this.worker = worker;
      worker.onerror = (event) => stop(event.message || t("engine.not-loaded"));
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
      else if (data?.type === "alive") this.heard();
      else this.onMessage(data);
    };
    this.pings = setInterval(() => this.ping(), PING_MS);
    worker.onerror = (event) => {
      event.preventDefault();
      this.onMessage({ type: "error", name: "worker", message: event.message || t("engine.stopped") });
    };
  }

  /** Rounds are counted and not time: a machine that slept, or a tab in the background, makes none. @private */
  ping() {
    if (this.silences === 0) this.post({ type: "ping" });
    this.silences += 1;
    if (this.silences === SILENCES) this.onSilence(true);
  }

  /** @private */
  heard() {
    if (this.silences >= SILENCES) this.onSilence(false);
    this.silences = 0;
  }

  /** Ends the worker, whatever it does. */
  stop() {
    clearInterval(this.pings);
    this.heard();
    this.worker?.terminate();
    this.worker = null;
  }

  post(/** @type {import("../contract/types.js").Command} */ command) {
    this.worker?.postMessage(command);
  }
}

/** How a model is held where nobody chose: every matrix and every activation in f32. */
export const AS_IT_IS = { weights: /** @type {const} */ ("f32"), checkpoint: false };

/** The facts, the instruction set and the held-out set as texts. */
export async function fetchData() {
  const names = ["facts", "instructions", "heldout"];
  const blobs = await fetchAll(names.map((name) => `data/${name}.jsonl`), () => {});
  const [facts, instructions, heldout] = await Promise.all(blobs.map((blob) => blob.text()));
  return { facts, instructions, heldout };
}

/** One more text of the page's data. */
export async function fetchText(/** @type {string} */ path) {
  return (await fetchBlob(path, () => {})).text();
}

/** The files of the model that comes with the page, and what the engine found out about this machine before. */
export async function fetchModel(/** @type {import("../models/download.js").OnBytes} */ onProgress) {
  const found = recall("found");
  const files = ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"];
  const blobs = await fetchAll(files.map((file) => MODEL + file), onProgress);
  return { found: await found, model: { name: "Atlas", files }, blobs };
}

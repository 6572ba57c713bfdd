/**
 * The page that holds all engines at once, each in a worker of its own; run.mjs calls `window.peers`.
 *
 * @typedef {{layers: number, batch: number, time: number}} Shape
 * @typedef {import("./peer.js").Task} Task
 */
import { Engine, fetchData, fetchModel } from "../../dist/js/engine.js";
import { median } from "./median.js";
import { filter, read } from "./safetensors.js";

/** Rank and seed of the adapter in Driftscope's bench (src/lab/bench.rs). */
const [RANK, SEED] = [8, 1];

/** Atlas, or its first layers. */
async function model(/** @type {number} */ layers) {
  const files = await fetchModel(() => {});
  const config = JSON.parse(files.config);
  config.num_hidden_layers = Math.min(layers, config.num_hidden_layers);
  const isKept = (name) => !(Number(/layers\.(\d+)\./.exec(name)?.[1]) >= config.num_hidden_layers);
  return { ...files, config: JSON.stringify(config), weights: filter(files.weights, isKept) };
}

/** A worker's messages: `call` posts a command and waits for the first message that `isAnswer`. */
class Messages {
  constructor(post) {
    this.post = post;
    this.look = (_message) => {};
  }

  call(command, isAnswer) {
    return new Promise((resolve, reject) => {
      this.look = (message) => {
        if (message.type === "error") reject(new Error(message.message));
        if (isAnswer(message)) resolve(message);
      };
      this.post(command);
    });
  }
}

/** Driftscope's worker, as the page starts it, with the model loaded. */
async function driftscope(/** @type {"webgpu" | "cpu"} */ backend, files, facts) {
  const engine = new Engine((message) => worker.look(message));
  const worker = new Messages((command) => engine.post(command));
  await engine.start();
  // Posting hands the weights over, but they are needed again.
  const command = { type: "load", backend, ...files, weights: files.weights.slice(), facts };
  await worker.call(command, ({ type }) => type === "ready");
  return { worker, stop: () => engine.stop() };
}

/** The adapter that Driftscope's bench starts with: what its page saves before the first step of a run. */
async function adapterStart(files, { facts, instructions, heldout }) {
  const { worker, stop } = await driftscope("cpu", files, facts);
  const settings = { arms: ["lora"], rank: RANK, seed: SEED, probes: 1, asked: 0, shift_prompts: 1, answer_len: 1 };
  const start = { type: "start", settings, instructions, heldout };
  await worker.call(start, ({ type, state }) => type === "state" && state === "paused");
  const isWeights = ({ type, file }) => type === "saved" && file.endsWith(".safetensors");
  const { bytes } = await worker.call({ type: "save", arm: "lora" }, isWeights);
  stop();
  return read(bytes);
}

/** A peer's worker, with its task. */
async function peer(/** @type {string} */ bundle, /** @type {Task} */ task) {
  const worker = new Worker(new URL(bundle, document.baseURI), { type: "module" });
  const messages = new Messages((command) => worker.postMessage(command));
  worker.onmessage = ({ data }) => messages.look(data);
  worker.onerror = (event) => messages.look({ type: "error", message: event.message || `${bundle} did not load` });
  await messages.call({ type: "open", task }, ({ type }) => type === "opened");
  return messages;
}

let files, data, /** @type {Task} */ task;
/**
 * By engine, what takes a step and some more.
 * @type {Record<string, (repeat: number) => Promise<{losses: number[], first_ms: number | null, median_ms: number}>>}
 */
const engines = {};

window.peers = {
  /** Fetches the model and makes the task; tells the layers there are and the adapter. */
  async prepare(/** @type {Shape} */ { layers, batch, time }) {
    [files, data] = await Promise.all([model(layers), fetchData()]);
    const config = JSON.parse(files.config);
    // The same tokens as in src/lab/bench.rs.
    const tokens = Int32Array.from({ length: batch * time }, (_, i) => (i * 7919 + 13) % config.vocab_size);
    task = { config, weights: read(files.weights), adapter: await adapterStart(files, data), batch, time, tokens };
    const info = (await navigator.gpu?.requestAdapter())?.info;
    const adapter = [info?.vendor, info?.architecture, info?.description].filter(Boolean).join(" ");
    return { layers: config.num_hidden_layers, adapter };
  },

  /** Starts an engine. */
  async open(/** @type {string} */ name) {
    if (name !== "driftscope") {
      const messages = await peer(`../build/peers/${name}.js`, task);
      let isFirst = true;
      engines[name] = async (repeat) => {
        // Driftscope makes its adapter anew for each round, and its first step is not timed.
        const count = isFirst ? 1 + repeat : repeat;
        const { steps } = await messages.call({ type: "steps", count }, ({ type }) => type === "steps");
        const first_ms = isFirst ? steps.ms.shift() : null;
        isFirst = false;
        return { losses: steps.losses, first_ms, median_ms: median(steps.ms) };
      };
      return;
    }
    const { worker } = await driftscope("webgpu", files, data.facts);
    const { batch, time } = task;
    engines[name] = async (repeat) => {
      const command = { type: "bench", settings: { batch, time, rank: RANK, repeat } };
      const { losses, lora_step } = (await worker.call(command, ({ type }) => type === "bench")).report;
      return { losses, first_ms: lora_step.first_ms, median_ms: lora_step.ms };
    };
  },

  /** Takes `repeat` steps, whose median is reported, and in the first round one before. */
  steps: (/** @type {string} */ name, /** @type {number} */ repeat) => engines[name](repeat),
};
document.documentElement.dataset.peers = "ready";

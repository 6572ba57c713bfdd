/**
 * What the peers share: the task as numbers, and the worker's messages.
 *
 * @typedef {import("./safetensors.js").Tensor} Tensor
 * @typedef {{hidden_size: number, num_hidden_layers: number, num_attention_heads: number, num_key_value_heads: number,
 *   head_dim: number, vocab_size: number, rms_norm_eps: number, rope_theta: number}} Config as in config.json
 * @typedef {{config: Config, weights: Record<string, Tensor>, adapter: Record<string, Tensor>, batch: number,
 *   time: number, tokens: Int32Array}} Task the base, the adapter's start and the one batch of every step
 * @typedef {{losses: number[], ms: number[]}} Steps each step's loss and time
 */

/** The seven linears, and the block each belongs to. */
export const LINEARS = {
  q_proj: "self_attn",
  k_proj: "self_attn",
  v_proj: "self_attn",
  o_proj: "self_attn",
  gate_proj: "mlp",
  up_proj: "mlp",
  down_proj: "mlp",
};
/** Of AdamW, LoRA and clipping: what src/lab/bench.rs trains with. No weight decay. */
export const TRAINING = { lr: 1e-4, beta1: 0.9, beta2: 0.999, eps: 1e-8, maxNorm: 1, scale: 2 };

/**
 * The frozen tensors and the adapter's, per layer, as `{linear: value}`.
 * @param {Task} task
 * @param {(tensor: Tensor) => any} upload
 */
export function layers({ config, weights, adapter }, upload) {
  const frozen = [];
  const trained = [];
  for (let layer = 0; layer < config.num_hidden_layers; layer++) {
    const path = `model.layers.${layer}`;
    const [base, lora] = [{}, {}];
    for (const [linear, block] of Object.entries(LINEARS)) {
      const name = `${path}.${block}.${linear}`;
      base[linear] = upload(weights[`${name}.weight`]);
      lora[linear] = {
        a: upload(adapter[`base_model.model.${name}.lora_A.weight`]),
        b: upload(adapter[`base_model.model.${name}.lora_B.weight`]),
      };
    }
    base.input_norm = upload(weights[`${path}.input_layernorm.weight`]);
    base.post_norm = upload(weights[`${path}.post_attention_layernorm.weight`]);
    frozen.push(base);
    trained.push(lora);
  }
  return { frozen, trained };
}

/** Cosines and sines of the rotary embedding, each (T, D/2). */
export function rope(/** @type {Task} */ { config, time }) {
  const half = config.head_dim / 2;
  const angle = (_, i) => Math.floor(i / half) * config.rope_theta ** (-(i % half) / half);
  const angles = Array.from({ length: time * half }, angle);
  return { shape: [time, half], cos: Float32Array.from(angles, Math.cos), sin: Float32Array.from(angles, Math.sin) };
}

/** The next token of each but a row's last: (B * (T - 1)). */
export function targets(/** @type {Task} */ { batch, time, tokens }) {
  const rows = Array.from({ length: batch }, (_, row) => [...tokens.subarray(row * time + 1, (row + 1) * time)]);
  return Int32Array.from(rows.flat());
}

/**
 * Answers the page: `open` with a task, then `steps` with a count.
 * @param {(task: Task) => Promise<() => Promise<number>>} open makes a function that takes one step and waits for its
 *   loss, as Driftscope's bench does
 */
export function serve(open) {
  let step;
  onmessage = async ({ data }) => {
    try {
      if (data.type === "open") {
        step = await open(data.task);
        postMessage({ type: "opened" });
        return;
      }
      /** @type {Steps} */
      const steps = { losses: [], ms: [] };
      for (let i = 0; i < data.count; i++) {
        const begun = performance.now();
        steps.losses.push(await step());
        steps.ms.push(performance.now() - begun);
      }
      postMessage({ type: "steps", steps });
    } catch (error) {
      postMessage({ type: "error", message: `${error?.stack ?? error}` });
    }
  };
}

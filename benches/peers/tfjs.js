/** LoRA on a Llama in TensorFlow.js, with its own Adam, which without weight decay is AdamW. */
import * as tf from "@tensorflow/tfjs";
import "@tensorflow/tfjs-backend-webgpu";
import { layers, rope, serve, targets, TRAINING } from "./peer.js";

const upload = ({ shape, data }) => tf.tensor(data, shape);

/** y = W x + s B A x, for x (N, in). */
function linear(x, weight, { a, b }) {
  const update = tf.matMul(tf.matMul(x, a, false, true), b, false, true);
  return tf.add(tf.matMul(x, weight, false, true), tf.mul(update, TRAINING.scale));
}

function norm(x, weight, eps) {
  const mean = tf.mean(tf.square(x), -1, true);
  return tf.mul(tf.mul(x, tf.rsqrt(tf.add(mean, eps))), weight);
}

/** Rotates the two halves of each head; x is (B, T, H, D), cos and sin are (T, 1, D/2). */
function rotate(x, { cos, sin }) {
  const [first, second] = tf.split(x, 2, -1);
  const left = tf.sub(tf.mul(first, cos), tf.mul(second, sin));
  return tf.concat([left, tf.add(tf.mul(second, cos), tf.mul(first, sin))], -1);
}

/**
 * Causal attention. Query heads that share a key follow each other as rows, so that keys are not repeated.
 * q is (B, T, H, D), k and v are (B, T, K, D), the mask is (H/K*T, T).
 */
function attention(q, k, v, mask) {
  const [batch, time, heads, dim] = q.shape;
  const kvHeads = k.shape[2];
  const grouped = (x) => tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [batch * kvHeads, -1, dim]);
  const scores = tf.mul(tf.matMul(grouped(q), grouped(k), false, true), 1 / Math.sqrt(dim));
  const mixed = tf.matMul(tf.softmax(tf.add(scores, mask)), grouped(v));
  const back = tf.transpose(tf.reshape(mixed, [batch, heads, time, dim]), [0, 2, 1, 3]);
  return tf.reshape(back, [batch * time, heads * dim]);
}

/** Mean cross-entropy over the response tokens. */
function lossOf(trained, { embedding, frozen, finalNorm, angles, mask, tokens, wanted }, { config, batch, time }) {
  const { num_attention_heads: heads, num_key_value_heads: kvHeads, head_dim: dim, rms_norm_eps: eps } = config;
  let x = tf.gather(embedding, tokens); // (B*T, C)
  frozen.forEach((base, i) => {
    const lora = trained[i];
    const h = norm(x, base.input_norm, eps);
    const part = (name, count) => tf.reshape(linear(h, base[name], lora[name]), [batch, time, count, dim]);
    const [q, k] = [rotate(part("q_proj", heads), angles), rotate(part("k_proj", kvHeads), angles)];
    x = tf.add(x, linear(attention(q, k, part("v_proj", kvHeads), mask), base.o_proj, lora.o_proj));
    const f = norm(x, base.post_norm, eps);
    const gate = linear(f, base.gate_proj, lora.gate_proj);
    const inner = tf.mul(tf.mul(gate, tf.sigmoid(gate)), linear(f, base.up_proj, lora.up_proj));
    x = tf.add(x, linear(inner, base.down_proj, lora.down_proj));
  });
  // The last position of a row has no next token.
  const width = config.hidden_size;
  const counted = tf.slice(tf.reshape(x, [batch, time, width]), [0, 0, 0], [batch, time - 1, width]);
  const last = norm(tf.reshape(counted, [batch * (time - 1), width]), finalNorm, eps);
  return tf.losses.softmaxCrossEntropy(wanted, tf.matMul(last, embedding, false, true));
}

/** Scales the gradients so that their common norm is at most the limit. */
function clip(gradients) {
  // Not addN: on WebGPU it binds all its inputs at once, and beyond the adapter's limit the step is silently dropped.
  const squares = tf.stack(Object.values(gradients).map((g) => tf.sum(tf.square(g))));
  const factor = tf.minimum(tf.div(TRAINING.maxNorm, tf.sqrt(tf.sum(squares))), 1);
  return Object.fromEntries(Object.entries(gradients).map(([name, g]) => [name, tf.mul(g, factor)]));
}

serve(async (task) => {
  if (!(await tf.setBackend("webgpu"))) throw new Error("TensorFlow.js could not start its webgpu backend");
  const { config, time } = task;
  const { frozen, trained: start } = layers(task, upload);
  const trained = start.map((layer) => {
    const pairs = Object.entries(layer).map(([name, { a, b }]) => [name, { a: tf.variable(a), b: tf.variable(b) }]);
    return Object.fromEntries(pairs);
  });
  const variables = trained.flatMap((layer) => Object.values(layer).flatMap(({ a, b }) => [a, b]));
  const { shape: [, half], cos, sin } = rope(task);
  const groups = config.num_attention_heads / config.num_key_value_heads;
  const masked = Array.from({ length: groups * time * time }, (_, i) =>
    i % time > Math.floor(i / time) % time ? -1e9 : 0);
  const constants = {
    frozen,
    embedding: upload(task.weights["model.embed_tokens.weight"]),
    finalNorm: upload(task.weights["model.norm.weight"]),
    angles: { cos: tf.tensor(cos, [time, 1, half]), sin: tf.tensor(sin, [time, 1, half]) },
    mask: tf.tensor(masked, [groups * time, time]),
    tokens: tf.tensor(task.tokens, [task.tokens.length], "int32"),
    wanted: tf.oneHot(tf.tensor1d(targets(task), "int32"), config.vocab_size),
  };
  const { lr, beta1, beta2, eps } = TRAINING;
  const optimizer = tf.train.adam(lr, beta1, beta2, eps);
  return async () => {
    const loss = tf.tidy(() => {
      const { value, grads } = tf.variableGrads(() => lossOf(trained, constants, task), variables);
      optimizer.applyGradients(clip(grads));
      return value;
    });
    const [value] = await loss.data();
    loss.dispose();
    return value;
  };
});

/** LoRA on a Llama in jax-js: one jitted function computes loss, gradients, clipping and AdamW. */
import { defaultDevice, init, jit, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import { layers, rope, serve, targets, TRAINING } from "./peer.js";

const upload = ({ shape, data }) => np.array(data, { shape });

/** y = W x + s B A x, for x (N, in). */
function linear(x, weight, { a, b }) {
  const low = np.matmul(x.ref, a.transpose()); // (N, R)
  return np.matmul(x, weight.transpose()).add(np.matmul(low, b.transpose()).mul(TRAINING.scale));
}

function norm(x, weight, eps) {
  const mean = np.mean(np.square(x.ref), -1, { keepdims: true });
  return x.div(np.sqrt(mean.add(eps))).mul(weight);
}

/** Rotates the two halves of each head; x is (B, T, H, D), cos and sin are (T, 1, D/2). */
function rotate(x, { cos, sin }) {
  const [first, second] = np.split(x, 2, -1);
  const left = first.ref.mul(cos.ref).sub(second.ref.mul(sin.ref));
  return np.concatenate([left, second.mul(cos).add(first.mul(sin))], -1);
}

/** Mean cross-entropy over the response tokens. */
function lossOf(trained, { embedding, frozen, finalNorm, angles, tokens, wanted }, { config, batch, time }) {
  const { num_attention_heads: heads, num_key_value_heads: kvHeads, head_dim: dim, rms_norm_eps: eps } = config;
  const width = config.hidden_size;
  let x = np.take(embedding.ref, tokens, 0); // (B*T, C)
  frozen.forEach((base, i) => {
    const lora = trained[i];
    const h = norm(x.ref, base.input_norm, eps);
    const part = (name, count) => linear(h.ref, base[name], lora[name]).reshape([batch, time, count, dim]);
    const q = rotate(part("q_proj", heads), tree.ref(angles));
    const k = rotate(part("k_proj", kvHeads), tree.ref(angles));
    const mixed = nn.dotProductAttention(q, k, part("v_proj", kvHeads), { isCausal: true });
    h.dispose();
    x = x.add(linear(mixed.reshape([batch * time, heads * dim]), base.o_proj, lora.o_proj));
    const f = norm(x.ref, base.post_norm, eps);
    const gate = nn.silu(linear(f.ref, base.gate_proj, lora.gate_proj));
    x = x.add(linear(gate.mul(linear(f, base.up_proj, lora.up_proj)), base.down_proj, lora.down_proj));
  });
  tree.dispose(angles);
  // The last position of a row has no next token.
  const counted = x.reshape([batch, time, width]).slice([], [0, time - 1]).reshape([batch * (time - 1), width]);
  const logits = np.matmul(norm(counted, finalNorm, eps), embedding.transpose());
  const picked = nn.logSoftmax(logits, -1).mul(nn.oneHot(wanted, config.vocab_size));
  return picked.sum().div(-batch * (time - 1));
}

/** One AdamW step with clipping; `correction` is 1 - beta^t for both betas. */
function update(trained, gradients, moments, correction) {
  const { lr, beta1, beta2, eps, maxNorm } = TRAINING;
  const squares = tree.leaves(gradients).map((g) => np.square(g.ref).sum());
  const total = np.sqrt(squares.reduce((sum, square) => sum.add(square)));
  const clip = np.minimum(np.array(maxNorm).div(total), 1);
  const scaled = tree.map((g) => g.mul(clip.ref), gradients);
  const first = tree.map((m, g) => m.mul(beta1).add(g.ref.mul(1 - beta1)), moments.first, scaled);
  const second = tree.map((v, g) => v.mul(beta2).add(np.square(g).mul(1 - beta2)), moments.second, scaled);
  const next = (p, m, v) => {
    const size = np.sqrt(v.ref.div(correction.second.ref)).add(eps);
    return p.sub(m.ref.div(correction.first.ref).div(size).mul(lr));
  };
  return { trained: tree.map(next, trained, first, second), moments: { first, second } };
}

serve(async (task) => {
  const devices = await init("webgpu");
  if (!devices.includes("webgpu")) throw new Error("jax-js found no WebGPU adapter");
  defaultDevice("webgpu");
  const { frozen, trained: start } = layers(task, upload);
  const { shape: [time, half], cos, sin } = rope(task);
  const wanted = targets(task);
  const constants = {
    frozen,
    embedding: upload(task.weights["model.embed_tokens.weight"]),
    finalNorm: upload(task.weights["model.norm.weight"]),
    angles: { cos: np.array(cos, { shape: [time, 1, half] }), sin: np.array(sin, { shape: [time, 1, half] }) },
    tokens: np.array(task.tokens),
    wanted: np.array(wanted),
  };
  const train = jit((trained, moments, correction, fixed) => {
    const loss = (adapter) => lossOf(adapter, fixed, task);
    const [value, gradients] = valueAndGrad(loss)(tree.ref(trained));
    return { value, ...update(trained, gradients, moments, correction) };
  });
  const zeros = () => tree.map((p) => np.zeros(p.shape), start);
  let state = { trained: start, moments: { first: zeros(), second: zeros() } };
  let steps = 0;
  return async () => {
    steps += 1;
    const correction = {
      first: np.array(1 - TRAINING.beta1 ** steps),
      second: np.array(1 - TRAINING.beta2 ** steps),
    };
    const { value, ...next } = train(state.trained, state.moments, correction, tree.ref(constants));
    state = next;
    return (await value.data())[0];
  };
});

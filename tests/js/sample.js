// A tiny run in the record's format. Its figures mean nothing; it is for tests only.
import { defaults } from "../../www/js/settings.js";

const shift = (n) => ({
  kl: 0.5,
  n,
  unshifted: n - 2,
  marginal: 1,
  shifted: 1,
  positions: [{ n, kl: 0.5, unshifted: n - 2, marginal: 1, shifted: 1 }],
});

export function measure(arm, step, cells = "kw") {
  return {
    type: "measure",
    run: 7,
    arm,
    step,
    heldout_loss: 1 / (1 + step),
    shift: shift(10),
    cells,
    logprobs: [-0.1, -2],
    ms: 1,
    recall: [{ split: "kept", form: "cloze", correct: [...cells].filter((c) => "kw".includes(c)).length, n: 2 }],
    errors: { borrowed: 0, other: 0, malformed: 0, n: 2, borrowed_by_chance: 0.5 },
    wrong: [...cells].flatMap((c, cell) =>
      "kw".includes(c) ? [] : [{ cell, answer: "x", sources: c === "b" ? [0] : [] }],
    ),
  };
}

export function step(arm, number, tokens = 10) {
  return { type: "step", run: 7, arm, step: number, loss: 2 / number, lr: 1e-3, grad_norm: 1, tokens, ms: 5 };
}

export function text(arm, at, question = "Q?") {
  const token = {
    text: " A",
    rank: 1,
    kl: 0,
    logprob: -0.1,
    base_logprob: -0.1,
    top: [[" A", -0.1]],
    base_top: [[" A", -0.1]],
  };
  return { type: "text", run: 7, arm, step: at, question, tokens: [token] };
}

export function run(id = 7) {
  const facts = ["France", "Peru"].map((subject) => ({
    subject,
    relation: "capital",
    object: "x",
    cloze: `The capital of ${subject} is`,
    split: "kept",
  }));
  const arms = ["lora", "full"].map((arm) => ({ arm, lr: 1e-3, trainable_parameters: 10, optimizer_bytes: 120 }));
  Object.assign(arms[0], { memory_bytes: 1000 }); // not in records of the CPU engine
  return { type: "run", run: id, settings: defaults(), model: "sample", arms, facts, examples: 1, heldout: 1 };
}

export function summary() {
  const spread = { mean: 0.5, sd: 0.1 };
  const row = { condition: "same rate", arm: "lora", lr: 1e-3, seeds: 3 };
  for (const name of [
    "heldout_loss",
    "recall_cloze",
    "recall_asked",
    "borrowed",
    "unshifted",
    "marginal",
    "shifted",
    "kl",
  ])
    row[name] = spread;
  return { type: "summary", title: "Sample", rows: [row], verdict: "None." };
}

export function record() {
  const both = (make) => ["lora", "full"].map(make);
  const events = [run(), ...both((arm) => measure(arm, 0)), ...both((arm) => text(arm, 0))];
  for (const n of [1, 2, 3]) events.push(...both((arm) => step(arm, n)));
  events.push(
    measure("lora", 2),
    measure("full", 2, "bm"),
    text("lora", 2),
    { type: "done", run: 7, seconds: 1 },
    summary(),
  );
  return { format: "driftscope-run", version: 1, engine: "cpu", events };
}

// A tiny run in the record's format. Its figures mean nothing; it is for tests only.
import { defaults } from "../../www/js/state/settings.js";

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
  const arms = ["lora", "full"].map((arm) => ({ arm, trainable_parameters: 10, optimizer_bytes: 120 }));
  Object.assign(arms[0], { memory_bytes: 1000 }); // not in records of the CPU engine
  return { type: "run", run: id, settings: defaults(), model: "sample", arms, facts, examples: 1, heldout: 1 };
}

const arms = [
  { id: "lora", label: "LoRA" },
  { id: "full", label: "Full" },
];

export function summary() {
  const spread = { mean: 0.5, sd: 0.1 };
  const row = { condition: "same rate", arm: "lora", lr: 1e-3, seeds: 3, figures: {} };
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
    row.figures[name] = spread;
  return { type: "summary", title: "Sample", arms, rows: [row], verdict: "None." };
}

export function counterfactual() {
  const swapped = { n: 3, followed: 2, unchanged: 1, right: 0, other: 0 };
  const control = { n: 2, followed: 0, unchanged: 1, right: 1, other: 0 };
  const examples = [{ cell: 0, from: "a", to: "b", after: "b" }];
  return { type: "counterfactual", arm: "full", runs: 1, swapped, control, examples };
}

/** A summary of an experiment: three ways to compare, each with a comparison. */
export function experiment() {
  const spread = (mean) => ({ mean, sd: 0.01, ci: 0.02 });
  const rows = [{ condition: "before tuning", fairness: null, arm: "base", lr: 0, seeds: 1, figures: { kl: spread(0) } }];
  const comparisons = [];
  const checkpoints = [];
  const ways = { same_rate: [1e-3, 1e-3], best_rate: [3e-4, 3e-5], equal_loss: [3e-4, 3e-5] };
  const readings = ["supports", "contradicts", "no_difference"];
  for (const [fairness, rates] of Object.entries(ways)) {
    const sides = ["lora", "full"].map((arm, i) => {
      const condition = "as they are";
      const figures = { heldout_loss: spread(0.8), recall_cloze: spread(0.9), kl: spread(0.2 + i / 10) };
      Object.assign(figures, { shifted_fact: spread(0.1), right: spread(0.5) });
      rows.push({ condition, fairness, arm, lr: rates[i], seeds: 2, figures });
      const point = { condition, fairness, arm, lr: rates[i], seed: 1 };
      if (fairness !== "equal_loss") {
        for (const step of [0, 200])
          checkpoints.push({ ...point, step, heldout_loss: 1 - step / 800, recall_cloze: 0.9, kl: step / 1000 });
      }
      return { condition, arm, metric: i === 0 ? "kl" : "shifted_fact", n: 2, spread: spread(0.2) };
    });
    const figures = { difference: 0.1, margin: 0.05, noise: 0.01, reading: readings.shift() };
    comparisons.push({ fairness, a: sides[0], b: sides[1], ...figures, text: `At ${fairness}.` });
  }
  const { type, ...check } = counterfactual();
  return {
    type: "summary",
    preset: "f1",
    title: "An experiment",
    claim: "A claim.",
    arms,
    rows,
    comparisons,
    verdict: "Of 3 comparisons 1 agrees.",
    goal: "heldout_loss",
    checkpoints,
    counterfactual: [check],
  };
}

/** Events on the weights of run 7. */
export function weightEvents() {
  const matrices = [{ name: "model.layers.0.self_attn.q_proj", relative: 0.1, rank90: 3, of: 128 }];
  const figures = { heldout_loss: 1, kl: 0.1, unshifted: 0.9, recall_cloze: 0.8 };
  return [
    { type: "weights", run: 7, arm: "lora", step: 2, matrices },
    { type: "strength", run: 7, arm: "lora", step: 2, strength: 0.5, ...figures },
  ];
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
  return { format: "driftscope-run", version: 2, engine: "cpu", events };
}

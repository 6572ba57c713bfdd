/**
 * Every choice of a run: name, range and default, as in src/lab/settings.rs.
 *
 * @typedef {{arms: string[], seed: number, steps: number, batch: number, max_len: number, rank: number, alpha: number,
 *   targets: string[], lr_lora: number, lr_full: number, warmup: number, schedule: string, weight_decay: number,
 *   clip: number, examples: number, measure_every: number, probes: number, asked: number, shift_prompts: number,
 *   answer_len: number, accumulate: number, rslora: boolean, dora: boolean, filter: string, simplified: boolean,
 *   new_facts: number, replay: number, neftune: number, pull: number,
 *   swaps: {row: number, from: string, to: string}[]}} Settings
 *   `swaps` are the counterfactual check's; the form does not offer them and the address does not hold them
 */

export const ARMS = ["lora", "full"];
export const TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

/** The choices of one out of a few. */
export const CHOICES = [
  {
    name: "schedule",
    label: "Schedule",
    hint: "What the rate does after the warm-up.",
    options: ["constant", "linear", "cosine"],
  },
  {
    name: "filter",
    label: "Which examples",
    hint: "Where not all are in use: the first ones, those with the shortest or longest answers, or those whose answers the base finds likeliest.",
    options: ["first", "shortest", "longest", "confident"],
  },
];

/**
 * The number fields. `low` and `high` are what the page lets through; the engine's own limits are wider or equal.
 * `isMain`: shown without opening "More settings".
 * @type {{name: string, label: string, hint: string, kind: "whole" | "real", low: number, high: number, isMain?: boolean}[]}
 */
export const FIELDS = [
  {
    name: "rank",
    label: "LoRA rank",
    hint: "Width r of the two LoRA matrices.",
    kind: "whole",
    low: 1,
    high: 256,
    isMain: true,
  },
  {
    name: "alpha",
    label: "LoRA alpha",
    hint: "The update is scaled by alpha / rank.",
    kind: "real",
    low: 0,
    high: 10000,
    isMain: true,
  },
  {
    name: "lr_lora",
    label: "Learning rate, LoRA",
    hint: "Its best rate is often about ten times full tuning's.",
    kind: "real",
    low: 0,
    high: 10,
    isMain: true,
  },
  {
    name: "lr_full",
    label: "Learning rate, full",
    hint: "Peak rate of full tuning.",
    kind: "real",
    low: 0,
    high: 10,
    isMain: true,
  },
  {
    name: "batch",
    label: "Batch",
    hint: "Examples of one step; both arms get the same.",
    kind: "whole",
    low: 1,
    high: 256,
    isMain: true,
  },
  {
    name: "steps",
    label: "Steps",
    hint: "Optimiser steps of each arm.",
    kind: "whole",
    low: 1,
    high: 100000,
    isMain: true,
  },
  {
    name: "seed",
    label: "Seed",
    hint: "Order of the batches and start of the LoRA matrices.",
    kind: "whole",
    low: 0,
    high: 4294967295,
    isMain: true,
  },
  {
    name: "examples",
    label: "Examples in use",
    hint: "How many rows of the instruction set; 0 uses all.",
    kind: "whole",
    low: 0,
    high: 1000000,
    isMain: true,
  },
  {
    name: "accumulate",
    label: "Batches of a step",
    hint: "Their gradients are added up before the weights change.",
    kind: "whole",
    low: 1,
    high: 1024,
  },
  {
    name: "warmup",
    label: "Warm-up steps",
    hint: "The rate grows linearly over these.",
    kind: "whole",
    low: 0,
    high: 100000,
  },
  {
    name: "weight_decay",
    label: "Weight decay",
    hint: "AdamW's, on all but the norms.",
    kind: "real",
    low: 0,
    high: 10,
  },
  {
    name: "clip",
    label: "Gradient clipping",
    hint: "Largest global norm; 0 does not clip.",
    kind: "real",
    low: 0,
    high: 1000000,
  },
  {
    name: "max_len",
    label: "Longest example",
    hint: "Tokens; longer examples are cut at the end.",
    kind: "whole",
    low: 8,
    high: 2048,
  },
  {
    name: "measure_every",
    label: "Steps between measurements",
    hint: "Each measurement takes a moment.",
    kind: "whole",
    low: 1,
    high: 100000,
  },
  {
    name: "probes",
    label: "Facts on the walls",
    hint: "Most of them are kept facts.",
    kind: "whole",
    low: 1,
    high: 100000,
  },
  {
    name: "asked",
    label: "Facts asked as questions",
    hint: "At each measurement.",
    kind: "whole",
    low: 0,
    high: 100000,
  },
  {
    name: "shift_prompts",
    label: "Prompts for the shift",
    hint: "Held-out questions answered at each measurement.",
    kind: "whole",
    low: 1,
    high: 1024,
  },
  { name: "answer_len", label: "Longest answer", hint: "Tokens.", kind: "whole", low: 1, high: 512 },
  {
    name: "new_facts",
    label: "New facts",
    hint: "Facts on invented countries that the base cannot know; each replaces two examples.",
    kind: "whole",
    low: 0,
    high: 64,
  },
  {
    name: "replay",
    label: "Replayed rows",
    hint: "Rows of pre-training text in each batch beside its examples.",
    kind: "whole",
    low: 0,
    high: 256,
  },
  {
    name: "neftune",
    label: "NEFTune alpha",
    hint: "Noise on the embeddings while training; 0 adds none, 5 is usual.",
    kind: "real",
    low: 0,
    high: 1000,
  },
  {
    name: "pull",
    label: "Pull to the base",
    hint: "Full tuning decays towards the base's weights (L2-SP), in multiples of the rate; 0 does not.",
    kind: "real",
    low: 0,
    high: 10000,
  },
];

/** The choices that are on or off. */
export const SWITCHES = [
  { name: "rslora", label: "rsLoRA", hint: "The update is scaled by alpha / sqrt(rank)." },
  { name: "dora", label: "DoRA", hint: "The lengths of the adapted matrices' rows are trained too." },
  {
    name: "simplified",
    label: "Simplified answers",
    hint: "The set's answers without openers and closers, one sentence long.",
  },
];

/** The defaults of src/lab/settings.rs. */
export function defaults() {
  return /** @type {Settings} */ ({
    arms: [...ARMS],
    seed: 1,
    steps: 200,
    batch: 8,
    accumulate: 1,
    max_len: 64,
    rank: 8,
    alpha: 16,
    rslora: false,
    dora: false,
    targets: [...TARGETS],
    lr_lora: 1e-3,
    lr_full: 1e-3,
    warmup: 10,
    schedule: "constant",
    weight_decay: 0,
    clip: 1,
    examples: 0,
    filter: "first",
    simplified: false,
    new_facts: 0,
    replay: 0,
    neftune: 0,
    pull: 0,
    swaps: [],
    measure_every: 10,
    probes: 240,
    asked: 48,
    shift_prompts: 16,
    answer_len: 40,
  });
}

/** A number of `field` from text, within its range; null when it is no number. */
export function clamp(field, text) {
  const trimmed = String(text).trim();
  const value = trimmed === "" ? NaN : Number(trimmed);
  if (!Number.isFinite(value)) return null;
  const bounded = Math.min(field.high, Math.max(field.low, value));
  return field.kind === "whole" ? Math.round(bounded) : bounded;
}

/** Those of `names` that are in `known`, in the order of `known`; null when none is. */
export function pick(names, known) {
  const chosen = known.filter((name) => names.includes(name));
  return chosen.length > 0 ? chosen : null;
}

/** Names of the settings in which `a` and `b` differ. */
export function differences(a, b) {
  return Object.keys(defaults()).filter((name) => String(a[name]) !== String(b[name]));
}

/** One line: "rank 8, alpha 16 on 7 matrices, …". */
export function describe(/** @type {Settings} */ s) {
  const kind = `${s.rslora ? "rsLoRA" : "LoRA"}${s.dora ? " with DoRA" : ""}`;
  const matrices = s.targets.length === TARGETS.length ? "all 7 matrices" : s.targets.join(", ");
  return (
    `${kind} rank ${s.rank}, alpha ${s.alpha}, on ${matrices}, rate ${s.lr_lora}; full tuning rate ${s.lr_full}; ` +
    `${s.steps} steps of ${s.batch} examples, seed ${s.seed}`
  );
}

/**
 * Recorded runs: checks a file before any view sees it, and writes one.
 * The shapes are those of protocol.js. Floats may be null: that is how JSON writes a loss that is not a number.
 */

import { METRICS } from "./summary-data.js";

export const FORMAT = "driftscope-run";
export const VERSION = 1;

/** A file that cannot be shown; the message says where and why. */
export class RecordError extends Error {}

const fail = (path, wanted) => {
  throw new RecordError(`${path} should be ${wanted}`);
};
const text = (value, path) => typeof value === "string" || fail(path, "text");
const whole = (value, path) => (Number.isInteger(value) && value >= 0) || fail(path, "a whole number");
const real = (value, path) =>
  value === null || (typeof value === "number" && Number.isFinite(value)) || fail(path, "a number");
const flag = (value, path) => typeof value === "boolean" || fail(path, "true or false");
const oneOf =
  (...names) =>
  (value, path) =>
    names.includes(value) || fail(path, `one of ${names.join(", ")}`);
const list =
  (check, most = 1e6) =>
  (value, path) => {
    if (!Array.isArray(value) || value.length > most) fail(path, "a list");
    value.forEach((entry, i) => check(entry, `${path}[${i}]`));
  };
const pair = (value, path) => {
  if (!Array.isArray(value) || value.length !== 2) fail(path, "a pair");
  text(value[0], `${path}[0]`);
  real(value[1], `${path}[1]`);
};
const object = (fields) => (value, path) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) fail(path, "an object");
  for (const [name, check] of Object.entries(fields)) check(value[name], `${path}.${name}`);
};

/** A field that older records lack. */
const optional = (check) => (value, path) => value === undefined || check(value, path);
/** What JSON writes for "none". */
const nullable = (check) => (value, path) => value === undefined || value === null || check(value, path);
const fairness = nullable(oneOf("same_rate", "best_rate", "equal_loss"));
const question = (value, path) => {
  if (!Array.isArray(value) || value.length !== 2) fail(path, "a question and an answer");
  value.forEach((part, i) => text(part, `${path}[${i}]`));
};
const arm = oneOf("base", "lora", "full");
const split = oneOf("kept", "seen", "new");
const names = list(text, 16);
const shares = { n: whole, kl: real, unshifted: whole, marginal: whole, shifted: whole };
const settings = object({
  arms: names,
  seed: whole,
  steps: whole,
  batch: whole,
  accumulate: optional(whole),
  max_len: whole,
  rank: whole,
  alpha: real,
  rslora: optional(flag),
  dora: optional(flag),
  targets: names,
  lr_lora: real,
  lr_full: real,
  warmup: whole,
  schedule: text,
  weight_decay: real,
  clip: real,
  examples: whole,
  filter: optional(text),
  simplified: optional(flag),
  new_facts: optional(whole),
  replay: optional(whole),
  neftune: optional(real),
  pull: optional(real),
  swaps: optional(list(object({ row: whole, from: text, to: text }), 10_000)),
  measure_every: whole,
  probes: whole,
  asked: whole,
  shift_prompts: whole,
  answer_len: whole,
});
const token = object({
  text,
  rank: whole,
  kl: real,
  logprob: real,
  base_logprob: real,
  top: list(pair, 100),
  base_top: list(pair, 100),
});
const spread = object({ mean: real, sd: real, ci: optional(real) });
const side = object({
  condition: text,
  arm,
  metric: oneOf(...METRICS.map(({ name }) => name)),
  n: whole,
  spread,
});
const fates = object({ n: whole, followed: whole, unchanged: whole, right: whole, other: whole });
const counterfactual = {
  arm,
  runs: whole,
  swapped: fates,
  control: fates,
  examples: list(object({ cell: whole, from: text, to: text, after: text }), 1000),
};

const EVENTS = {
  run: object({
    run: whole,
    settings,
    model: text,
    examples: whole,
    heldout: whole,
    arms: list(
      object({ arm, lr: real, trainable_parameters: whole, optimizer_bytes: whole, memory_bytes: optional(whole) }),
      4,
    ),
    facts: list(object({ subject: text, relation: text, object: text, cloze: text, split }), 20_000),
    added: optional(list(question, 20_000)),
  }),
  step: object({ run: whole, arm, step: whole, loss: real, lr: real, grad_norm: real, tokens: whole, ms: real }),
  measure: object({
    run: whole,
    arm,
    step: whole,
    heldout_loss: real,
    cells: text,
    logprobs: list(real),
    ms: real,
    shift: object({
      ...shares,
      positions: list(object(shares), 4096),
      classes: optional(object({ opener: object(shares), fact: object(shares), style: object(shares) })),
    }),
    recall: list(object({ split, form: oneOf("cloze", "asked"), correct: whole, n: whole }), 100),
    errors: object({ borrowed: whole, other: whole, malformed: whole, n: whole, borrowed_by_chance: real }),
    wrong: list(object({ cell: whole, answer: text, sources: list(whole) })),
    conversation: optional(object({ format: whole, right: whole, both: whole, n: whole })),
  }),
  text: object({ run: whole, arm, step: whole, question: text, tokens: list(token, 4096) }),
  done: object({ run: whole, seconds: real }),
  counterfactual: object(counterfactual),
  weights: object({
    run: whole,
    arm,
    step: whole,
    matrices: list(object({ name: text, relative: real, rank90: whole, of: whole }), 10_000),
  }),
  strength: object({
    run: whole,
    arm,
    step: whole,
    strength: real,
    heldout_loss: real,
    kl: real,
    unshifted: real,
    recall_cloze: real,
  }),
  summary: object({
    preset: optional(text),
    title: text,
    claim: optional(text),
    verdict: text,
    rows: list(
      object({
        condition: text,
        fairness,
        arm,
        lr: real,
        seeds: whole,
        ...Object.fromEntries(METRICS.map(({ name }) => [name, optional(spread)])),
      }),
      1000,
    ),
    comparisons: optional(
      list(
        object({
          fairness,
          a: side,
          b: side,
          difference: real,
          margin: nullable(real),
          noise: nullable(real),
          reading: oneOf("supports", "contradicts", "no_difference", "one_seed"),
          text,
        }),
        1000,
      ),
    ),
    checkpoints: optional(
      list(
        object({
          condition: text,
          fairness,
          arm,
          lr: real,
          seed: whole,
          step: whole,
          heldout_loss: real,
          recall_cloze: real,
          kl: real,
        }),
        20_000,
      ),
    ),
    counterfactual: optional(list(object(counterfactual), 4)),
  }),
};

/**
 * Checks a parsed file.
 * @returns {import("./protocol.js").RunRecord}
 * @throws {RecordError}
 */
export function checkRecord(value) {
  if (typeof value !== "object" || value === null || value.format !== FORMAT) {
    throw new RecordError(`this is not a Driftscope run: its "format" should be "${FORMAT}"`);
  }
  if (value.version !== VERSION) {
    throw new RecordError(
      `this run has format version ${JSON.stringify(value.version) ?? "?"}; the page reads version ${VERSION}`,
    );
  }
  text(value.engine, "engine");
  if (value.instructions !== undefined) text(value.instructions, "instructions");
  if (!Array.isArray(value.events)) fail("events", "a list");
  let facts = 0;
  value.events.forEach((event, i) => {
    const path = `events[${i}]`;
    const checkEvent = Object.hasOwn(EVENTS, event?.type) ? EVENTS[event.type] : null;
    if (!checkEvent) fail(`${path}.type`, `one of ${Object.keys(EVENTS).join(", ")}`);
    checkEvent(event, path);
    if (event.type === "run") facts = event.facts.length;
    if (event.type === "measure" && (event.cells.length !== facts || event.logprobs.length !== facts)) {
      fail(`${path}.cells`, `one letter and one log-probability for each of the ${facts} facts`);
    }
  });
  if (!value.events.some((event) => event.type === "run" || event.type === "summary")) {
    throw new RecordError("this file holds no run");
  }
  return value;
}

/** Parses and checks the text of a file. */
export function parseRecord(content) {
  let value;
  try {
    value = JSON.parse(content);
  } catch (error) {
    throw new RecordError(`this file is not JSON: ${error.message}`);
  }
  return checkRecord(value);
}

/** The shown run as the text of a file. */
export function writeRecord(/** @type {import("./store.js").Store} */ store) {
  const { kind, engine, instructions } = store.source;
  const isOfRun = store.summary !== null && store.summaryKind === kind; // else it came with another file
  const events = isOfRun ? [...store.events, store.summary] : store.events;
  const record = { format: FORMAT, version: VERSION, engine, events };
  if (instructions !== null) record.instructions = instructions;
  return JSON.stringify(record);
}

/** Steps and measures of the shown run as comma-separated values, one row per arm and step. */
export function writeCsv(/** @type {import("./store.js").Store} */ store) {
  const forms = [
    ["kept", "cloze"],
    ["kept", "asked"],
    ["seen", "cloze"],
    ["seen", "asked"],
    ["new", "cloze"],
    ["new", "asked"],
  ];
  const head = [
    "arm",
    "step",
    "train_loss",
    "lr",
    "grad_norm",
    "tokens",
    "ms",
    "heldout_loss",
    "kl_nats_per_token",
    "shift_tokens",
    "unshifted",
    "marginal",
    "shifted",
    "borrowed",
    "other",
    "malformed",
    ...forms.flatMap(([s, f]) => [`${s}_${f}_correct`, `${s}_${f}_n`]),
  ];
  const rows = store.armNames.flatMap((name) => {
    const { steps, measures } = store.arms.get(name);
    const all = [...new Set([...steps, ...measures].map((entry) => entry.step))].sort((a, b) => a - b);
    const stepAt = new Map(steps.map((entry) => [entry.step, entry]));
    const measureAt = new Map(measures.map((entry) => [entry.step, entry]));
    return all.map((step) => {
      const s = stepAt.get(step);
      const m = measureAt.get(step);
      const recalls = forms.flatMap(([split, form]) => {
        const entry = m?.recall.find((r) => r.split === split && r.form === form);
        return [entry?.correct, entry?.n];
      });
      return [
        name,
        step,
        s?.loss,
        s?.lr,
        s?.grad_norm,
        s?.tokens,
        s?.ms,
        m?.heldout_loss,
        m?.shift.kl,
        m?.shift.n,
        m?.shift.unshifted,
        m?.shift.marginal,
        m?.shift.shifted,
        m?.errors.borrowed,
        m?.errors.other,
        m?.errors.malformed,
        ...recalls,
      ];
    });
  });
  return [head, ...rows].map((row) => row.map((cell) => cell ?? "").join(",")).join("\n") + "\n";
}

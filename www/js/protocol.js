/**
 * The messages between the page and its worker, and the events that make a run and a record.
 * The same union as src/web/protocol.rs and src/lab/event.rs; nothing here runs.
 *
 * @typedef {"base" | "lora" | "full"} ArmName
 * @typedef {"kept" | "seen" | "new"} Split
 * @typedef {"cloze" | "asked"} RecallForm
 *
 * @typedef {import("./settings.js").Settings} Settings
 *
 * Page to worker:
 * @typedef {{type: "load", backend: "auto" | "webgpu" | "cpu", name: string, config: string, tokenizer: string,
 *   tokenizer_config: string | null, weights: Uint8Array, facts: string, found?: string | null}} LoadCommand
 * @typedef {LoadCommand
 *   | {type: "warm_up", settings: Settings}
 *   | {type: "start", settings: Settings, instructions: string, heldout: string}
 *   | {type: "play"} | {type: "pause"}
 *   | {type: "step", count: number, arm: ArmName | null}
 *   | {type: "ask", id: number, question: string, max_tokens: number,
 *     sampling: import("./sampling.js").Sampling}
 *   | {type: "save", arm: ArmName}
 *   | {type: "experiment", preset: string, seeds: number, instructions: string, heldout: string}
 *   | {type: "counterfactual", arm: ArmName}
 *   | {type: "strength", arm: ArmName, strength: number}
 *   | {type: "bench", settings: BenchSettings, random: RandomModel | null}} Command
 * @typedef {{batch: number, time: number, rank: number, response?: number, repeat: number}} BenchSettings
 * @typedef {{shape: "atlas" | "smollm2", layers: number | null}} RandomModel measured in place of the loaded one
 *
 * Worker to page:
 * @typedef {{type: "ready", engine: "webgpu" | "cpu", adapter: string, reason: string, model: string,
 *   parameters: number}} Ready
 * @typedef {"preparing" | "paused" | "running" | "done"} RunState
 * @typedef {{type: "answer", id: number, arm: ArmName, tokens: ShiftToken[]}} Answer
 * @typedef {{type: "listening"} | Ready | {type: "event", event: RunEvent}
 *   | {type: "progress", stage: string, done: number, total: number}
 *   | {type: "state", state: RunState} | Answer
 *   | {type: "experiment", preset: string, label: string, done: number, total: number}
 *   | {type: "saved", arm: ArmName, file: string, bytes: Uint8Array}
 *   | {type: "bench", report: BenchReport}
 *   | {type: "found", json: string}
 *   | {type: "error", name: string, message: string}} Message
 * @typedef {{first_ms: number, ms: number, tokens_per_s: number, gflop: number, gflop_per_s: number,
 *   share_of_best: number}} Speed
 * @typedef {{total: number, layer_forward: number, layer_backward: number}} Dispatches
 * @typedef {{submits: number, written_bytes: number, read_bytes: number}} Traffic
 * @typedef {{layout: string, m: number, n: number, k: number, lora: number, variant: string,
 *   gflop_per_s: number}} Product
 * @typedef {{format: number, adapter: {backend: string, name: string, driver: string, software: boolean},
 *   model: {name: string, parameters: number, layers: number}, batch: number, time: number, rank: number, response: number,
 *   to_first_step_ms: number, losses: number[], forward: Speed, lora_step: Speed, full_step: Speed,
 *   generation: Speed & {new_tokens: number}, lora_to_full: number, lora_bytes: number | null,
 *   full_bytes: number | null, lora_dispatches: Dispatches | null, full_dispatches: Dispatches | null,
 *   lora_traffic: Traffic | null, full_traffic: Traffic | null, best_gflop_per_s: number, products: Product[],
 *   profile: object[], wasm: {bytes: number, gzip: number, brotli: number} | null}} BenchReport `driftscope bench --json` prints the same (docs/bench.md)
 *
 * Events:
 * @typedef {{arm: ArmName, lr: number, trainable_parameters: number, optimizer_bytes: number,
 *   memory_bytes?: number}} ArmInfo
 * @typedef {{subject: string, relation: string, object: string, cloze: string, split: Split}} WallFact
 * @typedef {{type: "run", run: number, settings: Settings, model: string, arms: ArmInfo[], facts: WallFact[],
 *   examples: number, heldout: number, added?: [string, string][]}} RunInfo
 * @typedef {{type: "step", run: number, arm: ArmName, step: number, loss: number, lr: number, grad_norm: number,
 *   tokens: number, ms: number}} StepEvent
 * @typedef {{n: number, kl: number, unshifted: number, marginal: number, shifted: number}} PositionShift
 * @typedef {{opener: PositionShift, fact: PositionShift, style: PositionShift}} ClassShift
 * @typedef {PositionShift & {positions: PositionShift[], classes?: ClassShift}} Shift
 * @typedef {{format: number, right: number, both: number, n: number}} Conversation
 * @typedef {{split: Split, form: RecallForm, correct: number, n: number}} Recall
 * @typedef {{borrowed: number, other: number, malformed: number, n: number, borrowed_by_chance: number}} Errors
 * @typedef {{cell: number, answer: string, sources: number[]}} WrongAnswer
 * @typedef {{type: "measure", run: number, arm: ArmName, step: number, heldout_loss: number, shift: Shift,
 *   recall: Recall[], errors: Errors, cells: string, logprobs: number[], wrong: WrongAnswer[],
 *   conversation?: Conversation, ms: number}} Measure
 * @typedef {{text: string, rank: number, kl: number, logprob: number, base_logprob: number,
 *   top: [string, number][], base_top: [string, number][]}} ShiftToken
 * @typedef {{type: "text", run: number, arm: ArmName, step: number, question: string, tokens: ShiftToken[]}} ShiftText
 * @typedef {"same_rate" | "best_rate" | "equal_loss"} Fairness
 * @typedef {"supports" | "contradicts" | "no_difference" | "one_seed"} Reading
 * @typedef {{mean: number, sd: number, ci?: number}} Spread
 * @typedef {{condition: string, fairness?: Fairness | null, arm: ArmName, lr: number, seeds: number,
 *   [metric: string]: any}} SummaryRow  each figure of METRICS (summary-data.js) that was measured, as a Spread
 * @typedef {{condition: string, arm: ArmName, metric: string, n: number, spread: Spread}} ComparedSide
 * @typedef {{fairness: Fairness | null, a: ComparedSide, b: ComparedSide, difference: number, margin: number | null,
 *   noise: number | null, reading: Reading, text: string}} Comparison
 * @typedef {{condition: string, fairness: Fairness | null, arm: ArmName, lr: number, seed: number, step: number,
 *   heldout_loss: number, recall_cloze: number, kl: number}} Checkpoint
 * @typedef {{n: number, followed: number, unchanged: number, right: number, other: number}} Fates
 * @typedef {{arm: ArmName, runs: number, swapped: Fates, control: Fates,
 *   examples: {cell: number, from: string, to: string, after: string}[]}} Check
 * @typedef {{type: "counterfactual"} & Check} Counterfactual
 * @typedef {{type: "weights", run: number, arm: ArmName, step: number,
 *   matrices: {name: string, relative: number, rank90: number, of: number}[]}} WeightsEvent
 * @typedef {{type: "strength", run: number, arm: ArmName, step: number, strength: number, heldout_loss: number,
 *   kl: number, unshifted: number, recall_cloze: number}} Strength
 * @typedef {{type: "summary", preset?: string, title: string, claim?: string, rows: SummaryRow[],
 *   comparisons?: Comparison[], verdict: string, checkpoints?: Checkpoint[], counterfactual?: Check[]}} Summary
 * @typedef {{type: "done", run: number, seconds: number}} Done
 * @typedef {RunInfo | StepEvent | Measure | ShiftText | WeightsEvent | Strength | Counterfactual | Done
 *   | Summary} RunEvent
 *
 * @typedef {{format: "driftscope-run", version: 1, engine: string, events: RunEvent[], instructions?: string}} RunRecord
 *   `instructions` is only in files that the page exports: the instruction set, so that source rows can be shown.
 */
export {};

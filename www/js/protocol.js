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
 *   tokenizer_config: string | null, weights: Uint8Array, facts: string}} LoadCommand
 * @typedef {LoadCommand
 *   | {type: "start", settings: Settings, instructions: string, heldout: string}
 *   | {type: "play"} | {type: "pause"}
 *   | {type: "step", count: number, arm: ArmName | null}
 *   | {type: "ask", id: number, question: string, max_tokens: number,
 *     sampling: import("./sampling.js").Sampling}
 *   | {type: "save", arm: ArmName}
 *   | {type: "bench", settings: BenchSettings}} Command
 * @typedef {{batch: number, time: number, rank: number, repeat: number}} BenchSettings
 *
 * Worker to page:
 * @typedef {{type: "ready", engine: "webgpu" | "cpu", adapter: string, reason: string, model: string,
 *   parameters: number}} Ready
 * @typedef {"preparing" | "paused" | "running" | "done"} RunState
 * @typedef {{type: "answer", id: number, arm: ArmName, tokens: ShiftToken[]}} Answer
 * @typedef {{type: "listening"} | Ready | {type: "event", event: RunEvent}
 *   | {type: "progress", stage: string, done: number, total: number}
 *   | {type: "state", state: RunState} | Answer
 *   | {type: "saved", arm: ArmName, file: string, bytes: Uint8Array}
 *   | {type: "bench", report: BenchReport, wasm_transfer_bytes: number, wasm_bytes: number}
 *   | {type: "error", name: string, message: string}} Message
 * @typedef {{first_ms: number, ms: number, tokens_per_s: number, gflop: number, gflop_per_s: number,
 *   share_of_best: number}} Speed
 * @typedef {{total: number, layer_forward: number, layer_backward: number}} Dispatches
 * @typedef {{submits: number, written_bytes: number, read_bytes: number}} Traffic
 * @typedef {{layout: string, m: number, n: number, k: number, lora: number, variant: string,
 *   gflop_per_s: number}} Product
 * @typedef {{format: number, adapter: {backend: string, name: string, driver: string, software: boolean},
 *   model: {name: string, parameters: number}, batch: number, time: number, rank: number, response: number,
 *   to_first_step_ms: number, losses: number[], forward: Speed, lora_step: Speed, full_step: Speed,
 *   generation: Speed & {new_tokens: number}, lora_to_full: number, lora_bytes: number | null,
 *   full_bytes: number | null, lora_dispatches: Dispatches | null, full_dispatches: Dispatches | null,
 *   lora_traffic: Traffic | null, full_traffic: Traffic | null, best_gflop_per_s: number, products: Product[],
 *   profile: object[]}} BenchReport `driftscope bench --json` prints the same (docs/bench.md)
 *
 * Events:
 * @typedef {{arm: ArmName, lr: number, trainable_parameters: number, optimizer_bytes: number,
 *   memory_bytes?: number}} ArmInfo
 * @typedef {{subject: string, relation: string, object: string, cloze: string, split: Split}} WallFact
 * @typedef {{type: "run", run: number, settings: Settings, model: string, arms: ArmInfo[], facts: WallFact[],
 *   examples: number, heldout: number}} RunInfo
 * @typedef {{type: "step", run: number, arm: ArmName, step: number, loss: number, lr: number, grad_norm: number,
 *   tokens: number, ms: number}} StepEvent
 * @typedef {{n: number, kl: number, unshifted: number, marginal: number, shifted: number}} PositionShift
 * @typedef {PositionShift & {positions: PositionShift[]}} Shift
 * @typedef {{split: Split, form: RecallForm, correct: number, n: number}} Recall
 * @typedef {{borrowed: number, other: number, malformed: number, n: number, borrowed_by_chance: number}} Errors
 * @typedef {{cell: number, answer: string, sources: number[]}} WrongAnswer
 * @typedef {{type: "measure", run: number, arm: ArmName, step: number, heldout_loss: number, shift: Shift,
 *   recall: Recall[], errors: Errors, cells: string, logprobs: number[], wrong: WrongAnswer[], ms: number}} Measure
 * @typedef {{text: string, rank: number, kl: number, logprob: number, base_logprob: number,
 *   top: [string, number][], base_top: [string, number][]}} ShiftToken
 * @typedef {{type: "text", run: number, arm: ArmName, step: number, question: string, tokens: ShiftToken[]}} ShiftText
 * @typedef {{mean: number, sd: number}} Spread
 * @typedef {{condition: string, arm: ArmName, lr: number, seeds: number, heldout_loss: Spread, recall_cloze: Spread,
 *   recall_asked: Spread, borrowed: Spread, unshifted: Spread, marginal: Spread, shifted: Spread, kl: Spread}} SummaryRow
 * @typedef {{type: "summary", title: string, rows: SummaryRow[], verdict: string}} Summary
 * @typedef {{type: "done", run: number, seconds: number}} Done
 * @typedef {RunInfo | StepEvent | Measure | ShiftText | Done | Summary} RunEvent
 *
 * @typedef {{format: "driftscope-run", version: 1, engine: string, events: RunEvent[], instructions?: string}} RunRecord
 *   `instructions` is only in files that the page exports: the instruction set, so that source rows can be shown.
 */
export {};

/** How a bench report is written: rows of its table, and sentences. */
/** @typedef {import("../contract/types.js").BenchReport} BenchReport */
import { bytes, count, fixed, percent } from "../ui/format.js";

/** A row per measurement; the columns are first ms, median ms, tokens/s, GFLOP/s and share of the best product. */
export function benchRows(/** @type {BenchReport} */ report) {
  const row = (/** @type {string} */ name, /** @type {Partial<BenchReport["forward"]>} */ speed) => [
    name,
    fixed(speed.first_ms, 1),
    fixed(speed.ms, 1),
    count(speed.tokens_per_s),
    fixed(speed.gflop_per_s, 1),
    percent(speed.share_of_best, 0),
  ];
  const { generation } = report;
  return [
    row("Forward", report.forward),
    row("LoRA step", report.lora_step),
    row("Full step", report.full_step),
    row(`Generation, ${report.batch} × ${generation.new_tokens}`, generation),
    row("Best product alone", { gflop_per_s: report.best_gflop_per_s, share_of_best: 1 }),
  ];
}

export function benchSummary(/** @type {BenchReport} */ report) {
  const { wasm } = report;
  const weight = wasm && `${bytes(wasm.bytes)}, ${bytes(wasm.gzip)} with gzip, ${bytes(wasm.brotli)} with brotli`;
  return (
    `Computed by ${report.adapter.name}: first finished step after ${fixed(report.to_first_step_ms / 1000, 1)} s. ` +
    `A LoRA step takes ${fixed(report.lora_to_full, 2)} of a full one's time. ` +
    `${work("LoRA", report.lora_bytes, report.lora_dispatches)}${work("full", report.full_bytes, report.full_dispatches)}` +
    `WebAssembly: ${weight ?? "not weighed, for this is no release build"}.`
  );
}

/** What a step on WebGPU takes; nothing is known of it on the CPU engine. */
function work(
  /** @type {string} */ name,
  /** @type {number | null | undefined} */ memory,
  /** @type {BenchReport["lora_dispatches"]} */ dispatches,
) {
  if (!dispatches) return "";
  const layer = `${dispatches.layer_forward} forward and ${dispatches.layer_backward} backward a layer`;
  return `A ${name} step: ${bytes(memory)}, ${count(dispatches.total)} dispatches (${layer}). `;
}

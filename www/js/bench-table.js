/** How a bench report is written: rows of its table, and a sentence. */
import { bytes, count, fixed, percent } from "./format.js";

/** A row per measurement; the columns are first ms, median ms, tokens/s, GFLOP/s and share of the product. */
export function benchRows(report) {
  const row = (name, speed, share) => [
    name,
    fixed(speed.first_ms, 1),
    fixed(speed.ms, 1),
    count(speed.tokens_per_s),
    fixed(speed.gflop_per_s, 1),
    percent(share, 0),
  ];
  const { generation } = report;
  return [
    row("Forward", report.forward, report.forward_of_gemm),
    row("LoRA step", report.lora_step, report.lora_of_gemm),
    row("Full step", report.full_step, report.full_of_gemm),
    row(`Generation, ${generation.rows} × ${generation.new_tokens}`, generation, NaN),
    row("Product alone", { gflop_per_s: report.gemm_gflop_per_s }, 1),
  ];
}

export function benchSummary(report) {
  const shape = report.gemm_shape.join(" × ");
  const wasm = report.wasm_bytes > 0 ? bytes(report.wasm_bytes) : "of unknown size";
  const transferred = report.wasm_transfer_bytes > 0 ? `${bytes(report.wasm_transfer_bytes)} transferred` : "cached";
  return (
    `${report.adapter}. First finished step after ${fixed(report.page_to_first_step_ms / 1000, 1)} s. ` +
    `The product alone was fastest at ${shape}. A LoRA step takes ${fixed(report.lora_to_full, 2)} of a full one's time. ` +
    `WebAssembly: ${wasm}, ${transferred}.`
  );
}

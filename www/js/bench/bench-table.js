/** How a bench report is written: rows of its table, and sentences. */
/** @typedef {import("../contract/types.js").BenchReport} BenchReport */
import { bytes, count, fixed, percent } from "../ui/format.js";
import { t } from "../ui/text.js";

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
    row(t("bench.row.forward"), report.forward),
    row(t("bench.row.lora"), report.lora_step),
    row(t("bench.row.full"), report.full_step),
    row(t("bench.row.generation", { rows: report.batch, tokens: generation.new_tokens }), generation),
    row(t("bench.row.product"), { gflop_per_s: report.best_gflop_per_s, share_of_best: 1 }),
  ];
}

export function benchSummary(/** @type {BenchReport} */ report) {
  const { wasm } = report;
  const weight = wasm && { raw: bytes(wasm.bytes), gzip: bytes(wasm.gzip), brotli: bytes(wasm.brotli) };
  return [
    t("bench.first-step", { adapter: report.adapter.name, seconds: fixed(report.to_first_step_ms / 1000, 1) }),
    t("bench.lora-to-full", { share: fixed(report.lora_to_full, 2) }),
    ...work(t("bench.row.lora"), report.lora_bytes, report.lora_dispatches),
    ...work(t("bench.row.full"), report.full_bytes, report.full_dispatches),
    weight ? t("bench.weight", weight) : t("bench.not-weighed"),
  ].join(" ");
}

/** What a step on WebGPU takes; nothing is known of it on the CPU engine. */
function work(
  /** @type {string} */ step,
  /** @type {number | null | undefined} */ memory,
  /** @type {BenchReport["lora_dispatches"]} */ dispatches,
) {
  if (!dispatches) return [];
  const { total, layer_forward: forward, layer_backward: backward } = dispatches;
  return [t("bench.work", { step, memory: bytes(memory), total, forward, backward })];
}

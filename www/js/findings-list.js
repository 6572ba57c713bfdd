/**
 * The experiments that the page offers, as in src/lab/preset.rs: the paper's five findings and the sweep over rates.
 *
 * @typedef {{name: string, short: string, title: string, claim: string, runs: number, data: string | null}} Finding
 *   `short`: what the card is called; `runs`: training runs per seed; `data`: the instruction set it needs,
 *   null for the one in the editor
 */
import { count } from "./format.js";

/** @type {Finding[]} */
export const FINDINGS = [
  {
    name: "f1",
    short: "F1",
    title: "Does LoRA keep the token distribution of pre-training?",
    claim: "LoRA preserves the pre-training token distribution, full tuning doesn't.",
    runs: 2,
    data: null,
  },
  {
    name: "f2",
    short: "F2",
    title: "Does a larger instruction set help LoRA?",
    claim: "Scaling the data set is ineffective for LoRA.",
    runs: 4,
    data: "data/instructions-1024.jsonl",
  },
  {
    name: "f3",
    short: "F3",
    title: "Does LoRA learn style or knowledge?",
    claim: "LoRA mainly learns response initiation and style, not knowledge.",
    runs: 5,
    data: null,
  },
  {
    name: "f4",
    short: "F4",
    title: "Does full tuning forget facts and make others up?",
    claim: "Full tuning degrades knowledge and raises hallucination, by borrowing from the instruction set.",
    runs: 4,
    data: null,
  },
  {
    name: "f5",
    short: "F5",
    title: "Do popular methods beat plain LoRA?",
    claim: "Popular methods don't beat simple LoRA.",
    runs: 15,
    data: null,
  },
  {
    name: "lora-vs-full",
    short: "Sweep",
    title: "LoRA against full tuning, from the same start on the same batches",
    claim: "Full tuning drifts further from the base and forgets more than LoRA.",
    runs: 6,
    data: null,
  },
];

export const MOST_SEEDS = 3;

/** "Run 3 of 24: best rate, as they are, seed 1" */
export function experimentNote(/** @type {import("./run-control.js").RunControl} */ control) {
  if (!control.isExperimenting) return "";
  const { label, done, total } = control.experiment;
  if (total === 0) return "Starting the experiment";
  return `Run ${count(Math.min(done + 1, total))} of ${count(total)}: ${label}`;
}

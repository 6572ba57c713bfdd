// The rows of scripts/gpu-check as a plain table, and as a section of docs/gpu.md.
import { AIMED_CARD } from "./cases.mjs";

const aimHead = ({ machine }) => (machine.gpu.includes(AIMED_CARD) ? `Aim on an ${AIMED_CARD}` : "Aim");
const verdict = (ok) => (ok === null ? "" : ok ? "ok" : "not");
const cellsOf = (report, rows) => [
  ["What", "Figure", aimHead(report), ""],
  ...rows.map(({ what, figure, aim, ok }) => [what, figure, aim, verdict(ok)]),
];

/** Aligned columns. */
export function plainTable(report, rows) {
  const cells = cellsOf(report, rows);
  const widths = cells[0].map((_, i) => Math.max(...cells.map((row) => row[i].length)));
  return cells.map((row) => row.map((cell, i) => cell.padEnd(widths[i])).join("  ").trimEnd()).join("\n");
}

/** A heading, a line about the machine, a table. */
export function markdown(report, rows) {
  const { machine, date, commit } = report;
  const escaped = (row) => `| ${row.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const [head, ...body] = cellsOf(report, rows).map(escaped);
  const dirty = commit.dirty ? ", with changes" : "";
  return `## ${machine.gpu}, ${date}, commit ${commit.sha}${dirty}

Driver ${machine.driver}; ${machine.chromium}; ${machine.os}; ${machine.cpu}.

${head}
|---|---|---|---|
${body.join("\n")}
`;
}

#!/usr/bin/env node
// Fills every number of docs/findings.md from the records in examples, and draws its figures.
//
//   scripts/findings.mjs --write   does it
//   scripts/findings.mjs           says what is old, and fails (tests/js/findings-doc.test.js does the same)
//
// In the document:
//   <!--=RECORD WHAT ...-->figure<!--/-->                    one figure; see `figure`
//   <!--table RECORD: METRIC, ...; ROW = Label; ...-->       a table, up to <!--/table-->; a METRIC may have a heading, "kl = KL"
// A ROW is CONDITION/FAIRNESS/ARM, and /RATE where several have the same name; "-" is no fairness.
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { METRICS } from "../www/js/contract/data.js";
import { drawFigure } from "./findings-figure.mjs";

const root = new URL("../", import.meta.url);
const read = (path) => readFileSync(new URL(path, root), "utf8");
const summaries = new Map();

/** The summary of a record. */
function summaryOf(name) {
  if (!summaries.has(name)) {
    const { events } = JSON.parse(read(`examples/${name}.json`));
    summaries.set(name, events.find(({ type }) => type === "summary"));
  }
  return summaries.get(name);
}

const isShare = (metric) => METRICS.find(({ name }) => name === metric)?.is_share ?? false;
const decimals = (metric) => (metric === "heldout_loss" ? 3 : isShare(metric) ? 1 : 2);
const scaled = (metric, value) => (isShare(metric) ? 100 * value : value).toFixed(decimals(metric)).replace("-", "−");
const rate = (value) => Number(value.toPrecision(2)).toExponential();
const signed = (metric, value) => (value < 0 ? "" : "+") + scaled(metric, value);

function one(list, what, is) {
  const found = list.filter(is);
  if (found.length !== 1) throw new Error(`${found.length} of ${what}`);
  return found[0];
}

function rowOf(summary, path) {
  const [condition, fairness, arm, lr] = path.split("/");
  return one(summary.rows, path, (row) => {
    const isIt = row.condition === condition && (row.fairness ?? "-") === fairness && row.arm === arm;
    return isIt && (lr === undefined || rate(row.lr) === lr);
  });
}

const spread = (metric, { mean, sd }) => `${scaled(metric, mean)} ± ${scaled(metric, sd)}`;

function comparisonOf({ comparisons }, [metric, fairness, a, b]) {
  return one(comparisons, `${metric} ${fairness} ${a} ${b}`, (c) => {
    const sides = [c.a, c.b].map(({ arm, condition }) => [arm, condition]);
    return c.a.metric === metric && (c.fairness ?? "-") === fairness && sides[0].includes(a) && sides[1].includes(b);
  });
}

const interval = ({ mean, low, high }, write) => `${write(mean)} (${write(low)} to ${write(high)})`;
const times = (value) => value.toFixed(1);

/** What a query names, as the document writes it. Words of a query are separated by two spaces or more, or by single ones. */
const FIGURES = {
  // `of METRIC ROW`: mean ± standard deviation; `mean METRIC ROW` the mean alone
  of: (s, [metric, ...row]) => spread(metric, rowOf(s, row.join(" ")).figures[metric]),
  mean: (s, [metric, ...row]) => scaled(metric, rowOf(s, row.join(" ")).figures[metric].mean),
  rate: (s, row) => rate(rowOf(s, row.join(" ")).lr),
  seeds: (s, row) => String(rowOf(s, row.join(" ")).seeds),
  // `difference METRIC FAIRNESS A B`: with its 95 % interval; `holm` the adjusted probability
  difference: (s, words) => {
    const c = comparisonOf(s, words);
    return `${signed(words[0], c.difference)} ± ${scaled(words[0], c.margin)}`;
  },
  holm: (s, words) => {
    const p = comparisonOf(s, words).p_holm;
    return p < 0.001 ? "p < 0.001" : `p = ${p.toFixed(3)}`;
  },
  comparisons: (s) => String(s.comparisons.length),
  survive: (s) => String(s.comparisons.filter(({ p_holm }) => p_holm < 0.05).length),
  optimum: (s, [arm]) => interval(one(s.optima, arm, (o) => o.arm === arm).rate, rate),
  ratio: (s, [arm]) => interval(one(s.optima, arm, (o) => o.arm === arm).ratio, times),
  area: (s, [arm]) => {
    const { area } = one(s.frontiers, arm, (f) => f.arm === arm);
    return `${area.mean.toFixed(3)} ± ${area.ci.toFixed(3)}`;
  },
  r2: (s, [metric]) => one(s.fits, metric, (f) => f.metric === metric).r2.toFixed(2),
  points: (s, [metric]) => String(one(s.fits, metric, (f) => f.metric === metric).n),
  // `check swapped.followed`: of the counterfactual check
  check: (s, [path]) => String(path.split(".").reduce((value, key) => value[key], s.counterfactual[0])),
};

function figure(query) {
  const [record, what, ...words] = query.trim().split(/\s+/);
  if (!FIGURES[what]) throw new Error(`${query}: there is no ${what}`);
  try {
    return FIGURES[what](summaryOf(record), words);
  } catch (error) {
    throw new Error(`${query}: ${error.message}`, { cause: error });
  }
}

function table(spec) {
  const [record, rest] = spec.split(/:(.*)/s);
  const [columns, ...rows] = rest.split(";").map((part) => part.trim());
  const named = (/** @type {string} */ text) => text.split(/ = (.*)/).map((part) => part.trim());
  const metrics = columns.split(",").map((column) => {
    const [metric, heading] = named(column);
    const { label, is_share } = one(METRICS, metric, ({ name }) => name === metric);
    return { metric, heading: `${heading ?? label}${is_share ? ", %" : ""}` };
  });
  const lines = rows.filter(Boolean).map((row) => {
    const [path, label] = named(row);
    const { figures } = rowOf(summaryOf(record.trim()), path);
    const cells = metrics.map(({ metric }) => (figures[metric] ? spread(metric, figures[metric]) : "–"));
    return `| ${[label, ...cells].join(" | ")} |`;
  });
  const head = `| ${["", ...metrics.map(({ heading }) => heading)].join(" | ")} |`;
  return [head, `|${"---|".repeat(metrics.length + 1)}`, ...lines].join("\n");
}

/** The document with every figure as the records have it. */
export function filled(/** @type {string} */ text) {
  return text
    .replace(/(<!--table ([^>]*?)-->)[^]*?(<!--\/table-->)/g, (_, open, spec, close) => `${open}\n\n${table(spec)}\n\n${close}`)
    .replace(/(<!--=([^>]*?)-->)[^]*?(<!--\/-->)/g, (_, open, query, close) => open + figure(query) + close);
}

/** Every file that this makes, with what belongs into it. */
export function files() {
  const drawn = ["harder", "lora-vs-full"].map((name) => [`docs/findings-${name}.svg`, drawFigure(summaryOf(name))]);
  return [["docs/findings.md", filled(read("docs/findings.md"))], ...drawn];
}

/** The files that differ from what the records give. */
export const old = () => files().filter(([path, text]) => read(path) !== text);

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  if (process.argv.includes("--write")) for (const [path, text] of files()) writeFileSync(new URL(path, root), text);
  const left = old().map(([path]) => path);
  if (left.length > 0) console.error(`old: ${left.join(", ")}; run scripts/findings.mjs --write`);
  process.exitCode = left.length > 0 ? 1 : 0;
}

// A LoRA step of Driftscope on WebGPU beside one of jax-js and of TensorFlow.js, in one browser on one adapter.
//
//   node benches/peers/run.mjs [--layers 4] [--batch 8] [--time 64] [--repeat 3] [--rounds 3] [--json]
//
// All train the same model on the same batch from the same adapter, and their losses must agree. The engines take
// turns, because a machine's speed changes over a minute. scripts/bench-peers builds what this needs.
import { createRequire } from "node:module";
import { loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { serveStatic } from "../../scripts/static-server.mjs";
import { WEBGPU } from "../../scripts/webgpu-flags.mjs";
import { median } from "./median.js";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const { chromium } = createRequire(`${repository}tests/browser/`)("@playwright/test");
const { dependencies } = createRequire(import.meta.url)("./package.json");

const LABELS = {
  driftscope: "Driftscope",
  jax: `jax-js ${dependencies["@jax-js/jax"]}`,
  tfjs: `TensorFlow.js ${dependencies["@tensorflow/tfjs"]}`,
};
/** The losses of this many steps are compared. */
const COMPARED = 3;
/** How far they may lie apart, and how much they must move in between, over the loss. */
const [APART, MOVED] = [1e-5, 1e-4];
const DEFAULTS = { layers: 4, batch: 8, time: 64, repeat: 3, rounds: 3 };

const say = (text) => process.stderr.write(`${text}\n`);

function readOptions() {
  const numbers = Object.entries(DEFAULTS).map(([name, value]) => [name, { type: "string", default: `${value}` }]);
  const { values } = parseArgs({
    options: { ...Object.fromEntries(numbers), json: { type: "boolean", default: false } },
  });
  const smallest = { layers: 1, batch: 1, time: 2, repeat: COMPARED - 1, rounds: 1 };
  for (const name of Object.keys(DEFAULTS)) {
    values[name] = Number(values[name]);
    if (!Number.isInteger(values[name]) || values[name] < smallest[name]) {
      throw new Error(`--${name} must be a whole number from ${smallest[name]} on`);
    }
  }
  return values;
}

/** Runs one call on the page; an engine that fails is said so and leaves the race. */
async function attempt(engine, call) {
  if (engine.error) return null;
  try {
    return await call();
  } catch (error) {
    engine.error = `${error?.message ?? error}`;
    say(`${engine.label}: ${engine.error}`);
    return null;
  }
}

/** All engines' rounds. The very first step compiles, and is reported by itself. */
async function race(page, { rounds, repeat, ...shape }) {
  say("the model and the adapter's start");
  const task = await page.evaluate((wanted) => window.peers.prepare(wanted), shape);
  const engines = Object.entries(LABELS).map(([name, label]) =>
    ({ name, label, first_ms: null, losses: [], rounds_ms: [], error: null }));
  for (const engine of engines) {
    await attempt(engine, () => page.evaluate((name) => window.peers.open(name), engine.name));
  }
  for (let round = 1; round <= rounds; round++) {
    for (const engine of engines) {
      const call = () => page.evaluate(([name, count]) => window.peers.steps(name, count), [engine.name, repeat]);
      const steps = await attempt(engine, call);
      if (!steps) continue;
      if (round === 1) Object.assign(engine, { first_ms: steps.first_ms, losses: steps.losses.slice(0, COMPARED) });
      engine.rounds_ms.push(steps.median_ms);
      say(`round ${round} of ${rounds}: ${engine.label} ${steps.median_ms.toFixed(1)} ms`);
    }
  }
  return { ...task, engines };
}

/** What is reported of an engine, beside the first one's. */
function result({ label, first_ms, losses, rounds_ms, error }, reference) {
  if (error) return { engine: label, error };
  const step_ms = median(rounds_ms);
  const gaps = losses.map((loss, i) => Math.abs(loss / reference.losses[i] - 1));
  const moved = Math.abs(losses[COMPARED - 1] / losses[0] - 1);
  const is_same_training = gaps.every((gap) => gap <= APART) && moved >= MOVED;
  const ratio = step_ms / median(reference.rounds_ms);
  const largest_gap = Math.max(...gaps);
  return { engine: label, step_ms, ratio, rounds_ms, first_ms, losses, largest_gap, is_same_training };
}

function print({ adapter, browser, layers, batch, time, results, load }) {
  console.log(`LoRA step of Atlas with ${layers} layers, ${batch} x ${time} tokens, rank 8`);
  console.log(`${browser}; ${adapter}; load ${load.map((value) => value.toFixed(1)).join(" to ")}`);
  const row = (...cells) => console.log(cells.map((cell, i) => i ? cell.padStart(11) : cell.padEnd(21)).join(""));
  row("", "ms", "first, ms", "to ours", ...Array.from({ length: COMPARED }, (_, i) => `loss ${i + 1}`));
  for (const { engine, error, step_ms, ratio, first_ms, losses } of results) {
    if (error) {
      console.log(`${engine.padEnd(21)} could not: ${error.split("\n")[0]}`);
      continue;
    }
    const cells = losses.map((loss) => loss.toFixed(5));
    row(engine, step_ms.toFixed(1), first_ms.toFixed(1), ratio.toFixed(2), ...cells);
  }
  const differing = results.filter(({ is_same_training }) => is_same_training === false);
  const names = differing.map(({ engine }) => engine).join(", ");
  console.log(names ? `The losses do not agree: ${names}` : `The losses of all that ran agree within ${APART}, relative.`);
}

const { json, ...settings } = readOptions();
const site = await serveStatic({ root: repository });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox", ...WEBGPU] });
try {
  const page = await browser.newPage();
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) say(`browser: ${message.text()}`);
  });
  page.on("pageerror", (error) => say(`browser: ${error.stack ?? error}`));
  await page.goto(`${site.url}benches/peers/`);
  await page.waitForSelector("html[data-peers=ready]", { state: "attached" });
  const before = loadavg()[0];
  const { engines, ...facts } = await race(page, settings);
  if (engines[0].error) throw new Error("without Driftscope there is nothing to compare with");
  const results = engines.map((engine) => result(engine, engines[0]));
  const load = [before, loadavg()[0]];
  const report = { ...settings, ...facts, browser: `Chromium ${browser.version()}`, load, results };
  if (json) console.log(JSON.stringify(report, null, 2));
  else print(report);
  if (!results.every(({ is_same_training }) => is_same_training)) process.exitCode = 1;
} finally {
  await browser.close();
  await site.close();
}

/**
 * The bench page: runs the worker's measurement on the chosen engines, one worker each, and shows the reports.
 *
 * @typedef {import("../contract/types.js").BenchReport} BenchReport
 * @typedef {Extract<import("../contract/types.js").Command, {type: "bench"}>} BenchCommand
 */
import "../ui/trusted.js"; // first: see there
import { clearErrors, say, showError } from "../ui/alerts.js";
import { benchRows, benchSummary } from "./bench-table.js";
import { download, el, find, table } from "../ui/dom.js";
import { AS_IT_IS, Engine, fetchData, fetchModel } from "../engine/engine.js";
import { t } from "../ui/text.js";

/** From the page's start until this script ran. */
const SCRIPT_MS = performance.now();

/** @type {BenchReport[]} */
let reports = [];

/**
 * One engine's report.
 * @param {import("../contract/types.js").BackendChoice} backend
 * @param {BenchCommand} command
 * @param {number} begunAt where the first step's time begins, on the page's clock
 * @returns {Promise<BenchReport>}
 */
function measure(backend, command, begunAt) {
  return new Promise((resolve, reject) => {
    let postedAt = 0;
    const fail = (/** @type {unknown} */ error) => {
      engine.stop();
      reject(error);
    };
    const engine = new Engine((message) => {
      if (message.type === "error") fail(message);
      if (message.type === "progress") say(t("bench.round", { engine: backend, round: message.done + 1, rounds: message.total }));
      if (message.type === "ready") {
        postedAt = performance.now();
        engine.post(command);
      }
      if (message.type === "bench") {
        engine.stop();
        const to_first_step_ms = postedAt - begunAt + message.report.to_first_step_ms;
        const report = { ...message.report, to_first_step_ms, user_agent: navigator.userAgent };
        resolve(report);
      }
    });
    Promise.all([fetchModel(() => {}), fetchData(), engine.start()]).then(
      ([model, data]) => engine.post({ type: "load", backend, ...model, ...AS_IT_IS, facts: data.facts }),
      fail,
    );
  });
}

function show() {
  const tables = reports.flatMap((report) => [
    el(
      "div",
      { class: "scroll" },
      table(
        t("bench.caption", {
          model: report.model.name,
          layers: report.model.layers,
          engine: report.adapter.backend,
          batch: report.batch,
          time: report.time,
          rank: report.rank,
        }),
        ["", t("bench.column.first"), t("bench.column.median"), "Tokens/s", "GFLOP/s", t("bench.column.share")],
        benchRows(report),
      ),
    ),
    el("p", {}, benchSummary(report)),
  ]);
  find("#bench-tables").replaceChildren(...tables);
  find("#bench-json").value = json();
  find("#bench-results").hidden = reports.length === 0;
}

const json = () => JSON.stringify(reports, null, 2);

/** @returns {BenchCommand} */
function command() {
  const number = (/** @type {string} */ name) => find(`#bench-${name}`).valueAsNumber;
  const shape = find("#bench-model").value;
  const random = shape === "atlas" ? null : { shape, layers: number("layers") };
  const [batch, time, rank, repeat] = ["batch", "time", "rank", "repeat"].map(number);
  const settings = { batch, time, rank, repeat, response: 1, profile: false };
  return { type: "bench", settings, random };
}

/** What the WebAssembly weighs, as the build has noted it. */
async function wasmSize() {
  const answer = await fetch("build.json");
  return answer.ok ? (await answer.json()).wasm : null;
}

async function run() {
  const [chosen, wanted] = [find("#bench-backend").value, command()];
  const backends = chosen === "both" ? ["webgpu", "cpu"] : [chosen];
  let begunAt = performance.now() - SCRIPT_MS;
  document.documentElement.dataset.bench = "running";
  reports = [];
  clearErrors("bench");
  show();
  for (const backend of backends) {
    try {
      say(t("bench.starting", { engine: backend }));
      const report = await measure(backend, wanted, begunAt);
      reports.push({ ...report, wasm: await wasmSize() });
      show();
    } catch (error) {
      const { message } = /** @type {{message: string}} */ (error);
      if (error instanceof Error) showError("bench", `${backend}: ${message}`);
      else showError("bench", `${backend}: `, message); // the engine's own words
    }
    begunAt = performance.now();
  }
  const isComplete = reports.length === backends.length;
  say(isComplete ? t("bench.done") : t("bench.incomplete"));
  document.documentElement.dataset.bench = isComplete ? "done" : "failed";
}

find("#bench-model").addEventListener("change", (/** @type {Event} */ event) => {
  find("#bench-layers").disabled = find("#bench-model").value === "atlas";
});
find("#bench-form").addEventListener("submit", async (/** @type {Event} */ event) => {
  event.preventDefault();
  const button = find("#bench-run");
  button.disabled = true;
  await run();
  button.disabled = false;
});
find("#bench-save").addEventListener("click", () => download("driftscope-bench.json", json(), "application/json"));
find("#bench-copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(json());
    say(t("bench.copied"));
  } catch {
    find("#bench-json").select();
    say(t("bench.not-copied"));
  }
});

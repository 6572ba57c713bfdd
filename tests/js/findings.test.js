// The experiments of the page: their list, what a summary shows for a way to compare, the curves, the runs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { existsSync } from "node:fs";
import { PRESETS } from "../../www/js/contract/data.js";
import { summaryArm, tally } from "../../www/js/state/comparisons.js";
import { experimentNote } from "../../www/js/views/findings-list.js";
import { RunControl } from "../../www/js/state/run-control.js";
import { extent, ticks } from "../../www/js/views/scatter.js";
import { defaults } from "../../www/js/state/settings.js";
import { Store } from "../../www/js/state/store.js";
import {
  checkSentence,
  checkpointsOf,
  columnsOf,
  coursesOf,
  firstWay,
  ofWay,
  sourceRow,
  waysOf,
} from "../../www/js/views/summary-data.js";
import { byLayer, matrixName, overall, totalIntruders } from "../../www/js/views/weights-data.js";
import * as sample from "./sample.js";

test("every experiment of the page has its record and its words", () => {
  for (const { name, title, claim, runs } of PRESETS) {
    assert.ok(title && claim && runs > 0, name);
    assert.ok(existsSync(new URL(`../../examples/${name}.json`, import.meta.url)), name);
  }
});

test("a summary names its arms, the base among them", () => {
  const summary = sample.experiment();
  assert.deepEqual(summaryArm(summary, "full"), { label: "Full", place: 1 });
  assert.deepEqual(summaryArm(summary, "base"), { label: "Base", place: -1 });
});

test("a way to compare leaves its own rows and those of none", () => {
  const summary = sample.experiment();
  assert.deepEqual(waysOf(summary), ["same_rate", "best_rate", "equal_loss"]);
  assert.equal(firstWay(summary), "best_rate");
  assert.equal(firstWay(sample.summary()), null);
  assert.deepEqual(
    ofWay(summary.rows, "same_rate").map((row) => row.arm),
    ["base", "lora", "full"],
  );
  assert.equal(ofWay(summary.comparisons, "equal_loss").length, 1);
  assert.equal(ofWay(summary.rows, null).length, summary.rows.length);
  assert.deepEqual(tally(summary.comparisons), { supports: 1, contradicts: 1, no_difference: 1, one_seed: 0 });
});

test("the table begins with what is compared", () => {
  const summary = sample.experiment();
  const { main, more } = columnsOf(summary, summary.rows);
  assert.deepEqual(
    main.map(({ name }) => name),
    ["heldout_loss", "recall_cloze", "kl", "shifted_fact"],
  );
  assert.deepEqual(
    more.map(({ name }) => name),
    ["right"],
  );
  assert.equal(columnsOf(sample.summary(), sample.summary().rows).more.length, 0); // older records show all
});

test("curves are those of the way to compare", () => {
  const summary = sample.experiment();
  const rates = (way) => [...new Set(checkpointsOf(summary, way).map((point) => point.lr))];
  assert.deepEqual(rates("same_rate"), [1e-3]);
  assert.deepEqual(rates("best_rate"), [3e-4, 3e-5]);
  assert.deepEqual(rates("equal_loss"), [3e-4, 3e-5]);
  assert.deepEqual(checkpointsOf(sample.summary(), null), []);
  // A sweep has one way only; the best rates are those of its rows.
  const sweep = { ...summary, checkpoints: summary.checkpoints.map((point) => ({ ...point, fairness: "same_rate" })) };
  assert.deepEqual([...new Set(checkpointsOf(sweep, "best_rate").map((point) => point.lr))], [3e-4, 3e-5]);
  const courses = coursesOf(checkpointsOf(summary, "best_rate").toReversed());
  assert.equal(courses.length, 2);
  assert.deepEqual(
    courses[0].map((point) => point.step),
    [0, 200],
  );
});

test("sources after the set's last row are the added ones", () => {
  const rows = [{ question: "a", answer: "b" }];
  const added = [["c", "d"]];
  assert.deepEqual(sourceRow(0, rows, added), { question: "a", answer: "b", isAdded: false });
  assert.deepEqual(sourceRow(1, rows, added), { question: "c", answer: "d", isAdded: true });
  assert.equal(sourceRow(2, rows, added), null);
  assert.equal(sourceRow(1, rows), null);
  assert.equal(sourceRow(0, null, added), null);
});

test("matrices find their layer and column", () => {
  const change = { relative: 0.1, rank90: 3, of: 128 };
  const event = {
    type: "weights",
    run: 7,
    arm: "lora",
    step: 10,
    matrices: [
      { name: "model.layers.10.mlp.down_proj", ...change },
      { name: "model.layers.2.self_attn.q_proj", ...change, relative: 0 },
      { name: "model.embed_tokens", ...change },
    ],
  };
  const layers = byLayer(event);
  assert.deepEqual(
    layers.map(({ layer }) => layer),
    [2, 10],
  );
  assert.deepEqual(layers[1].changes, [null, null, null, null, null, null, change]);
  assert.equal(overall(event).n, 2); // what has not changed has no directions
  assert.equal(totalIntruders(event), null); // an older record's
  const counted = { ...event, matrices: event.matrices.map((matrix, i) => ({ ...matrix, intruders: i })) };
  assert.equal(totalIntruders(counted), 3);
  assert.deepEqual(["model.layers.10.mlp.down_proj", "model.norm"].map(matrixName), ["Layer 11, down", "model.norm"]);
});

test("axes have round numbers and room", () => {
  assert.deepEqual(ticks(0, 1, 5), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.deepEqual(ticks(0.72, 1.41, 6), [0.8, 1, 1.2, 1.4]);
  assert.deepEqual(extent([99, 99], { span: 10, highest: 101 }).map(Math.round), [89, 99]);
  assert.deepEqual(extent([]), [0, 1]);
});

function controlWith(store) {
  const posted = [];
  const nothing = () => {};
  const plan = () => ({ settings: defaults(), instructions: "i", heldout: "h" });
  const post = (command) => posted.push(command);
  const hooks = { post, plan, refused: nothing, begun: nothing, changed: nothing, paused: nothing, finished: nothing };
  const control = new RunControl(store, hooks);
  control.setMode("live", "cpu");
  const take = (...messages) => messages.forEach((message) => control.receive(message));
  return { control, posted, take };
}

const state = (name) => ({ type: "state", state: name });
const event = (content) => ({ type: "event", event: content });
const progress = (label, done) => ({ type: "experiment", preset: "f1", label, done, total: 2 });

test("an experiment's runs follow each other, and its summary is labelled as measured here", () => {
  const store = new Store();
  const { control, posted, take } = controlWith(store);
  control.experimentWith("f1", 1, { instructions: "rows", heldout: "h" });
  assert.deepEqual(posted, [{ type: "experiment", preset: "f1", seeds: 1, instructions: "rows", heldout: "h" }]);
  take(progress("best rate, seed 1", 0), state("preparing"), event(sample.run(1)), state("running"));
  assert.equal(experimentNote(control), "Run 1 of 2: best rate, seed 1");
  assert.ok(control.isRunning);
  assert.equal(control.running, null); // the form's settings are not the experiment's
  control.step(1);
  assert.equal(posted.length, 1);
  take(event({ type: "done", run: 1, seconds: 1 }), progress("same rate, seed 1", 1), event(sample.run(2)));
  assert.equal(store.run.run, 2);
  assert.equal(store.source.instructions, "rows");
  take(event({ type: "done", run: 2, seconds: 1 }), progress("", 2), event(sample.experiment()), state("done"));
  assert.equal(store.summaryKind, "live");
  assert.equal(experimentNote(control), "");
  assert.ok(!control.isRunning && !control.isExperimenting);
});

test("Reset ends an experiment", () => {
  const store = new Store();
  const { control, posted, take } = controlWith(store);
  control.experimentWith("f4", 3, { instructions: "rows", heldout: "h" });
  take(progress("a", 0), event(sample.run(1)), state("running"));
  control.reset();
  assert.deepEqual(
    posted.map(({ type }) => type),
    ["experiment", "pause", "start"],
  );
  take(progress("b", 1)); // a late message
  assert.equal(control.experiment, null);
  assert.equal(control.running.instructions, "i");
});

test("a run that has ended can be checked, and the check's own run cannot", () => {
  const store = new Store();
  const { control, posted, take } = controlWith(store);
  control.reset();
  take(event(sample.run(7)), state("running"));
  control.check("full");
  take(state("done"));
  assert.ok(control.canCheck);
  control.check("full");
  assert.deepEqual(posted.at(-1), { type: "counterfactual", arm: "full" });
  const run = sample.run(8);
  run.settings.swaps = [{ row: 0, from: "a", to: "b" }];
  take(progress("check", 0), event(run), state("running"), event(sample.counterfactual()), progress("", 2));
  take(state("done"));
  assert.deepEqual(store.checks, [sample.counterfactual()]);
  assert.ok(!control.canCheck);
  assert.match(checkSentence(store.checks[0], "Full"), /of 3 borrowed answers .* 2 followed the swap \(67\u00a0%\)/);
});

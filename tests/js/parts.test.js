// Smaller parts: the walls' layout, the comparison behind the guess, Play and Reset.
import assert from "node:assert/strict";
import { test } from "node:test";
import { compare } from "../../www/js/views/predict.js";
import { RunControl } from "../../www/js/state/run-control.js";
import { defaults } from "../../www/js/state/settings.js";
import { Store } from "../../www/js/state/store.js";
import { cellAt, countStates, layOut, neighbour } from "../../www/js/views/wall-layout.js";
import * as sample from "./sample.js";

test("walls place every fact once, by relation", () => {
  const facts = ["capital", "symbol", "capital", "capital"].map((relation, i) => ({
    relation,
    split: i === 0 ? "seen" : "kept",
  }));
  for (const width of [200, 600]) {
    const layout = layOut(facts, width);
    assert.deepEqual(
      layout.cells.map((cell) => cell.fact),
      [2, 3, 0, 1],
    );
    const { x, y } = layout.cells[3];
    assert.equal(cellAt(layout, x + 3, y + 3), 3);
    assert.equal(cellAt(layout, -5, y), -1);
    assert.equal(neighbour(layout, 0, "ArrowRight"), 1);
    assert.equal(neighbour(layout, 0, "ArrowDown"), 3);
    assert.equal(neighbour(layout, 3, "ArrowUp"), 0);
    assert.equal(neighbour(layout, 3, "ArrowRight"), 3);
  }
  assert.deepEqual(countStates("kkwbx"), { k: 2, w: 1, b: 1, o: 0, m: 1 });
});

test("the guess is judged with the sampling error in mind", () => {
  const of = (correct) => ({ correct, n: 200 });
  const winner = (...correct) => {
    const arms = correct.map((n, i) => ({ id: `arm-${i}`, recall: n === null ? null : of(n) }));
    return compare(arms, of(200))?.winner ?? null;
  };
  assert.equal(winner(198, 120), "arm-1");
  assert.equal(winner(120, 198), "arm-0");
  assert.equal(winner(197, 195), "same");
  assert.equal(winner(198, 196, 120), "arm-2");
  assert.equal(winner(198, 120, 121), "same"); // which of the last two, nobody can say
  assert.equal(winner(null, 1), null);
  assert.equal(winner(1), null);
  assert.equal(compare([], null), null);
});

function controlWith(store) {
  const posted = [];
  const plan = { settings: defaults(), instructions: "i", heldout: "h" };
  const nothing = () => {};
  const control = new RunControl(store, {
    post: (command) => posted.push(command),
    plan: () => ({ ...plan }),
    refused: nothing,
    begun: nothing,
    changed: nothing,
    paused: nothing,
    finished: nothing,
  });
  return { control, posted, plan };
}

test("Play starts a run once, Reset starts it again with the same seed", () => {
  const store = new Store();
  const { control, posted } = controlWith(store);
  control.setMode("live", "cpu");
  control.play();
  assert.deepEqual(
    posted.map((command) => command.type),
    ["start", "play"],
  );
  control.receive({ type: "event", event: sample.run(1) });
  for (const state of ["preparing", "paused", "running"]) control.receive({ type: "state", state });
  assert.ok(control.isRunning);
  control.pause();
  control.play();
  control.reset();
  assert.deepEqual(
    posted.slice(2).map((command) => command.type),
    ["pause", "play", "pause", "start"],
  );
  assert.equal(posted.at(-1).settings.seed, posted[0].settings.seed);
});

test("events before the new run's first are not mixed into it", () => {
  const store = new Store();
  const { control } = controlWith(store);
  control.setMode("live", "cpu");
  control.step(1);
  control.receive({ type: "event", event: sample.run(7) });
  control.reset();
  control.receive({ type: "event", event: sample.step("lora", 1) });
  assert.equal(store.newest, 0);
  control.receive({ type: "event", event: sample.run(8) });
  assert.equal(store.run.run, 8);
});

test("a refused start leaves the run that was there", () => {
  const store = new Store();
  const { control, plan } = controlWith(store);
  control.setMode("live", "cpu");
  control.reset();
  control.receive({ type: "event", event: sample.run(7) });
  plan.settings = { ...defaults(), batch: 13 };
  control.reset();
  control.fail();
  assert.equal(control.running.settings.batch, 8);
  assert.ok(control.isChanged());
});

test("without an engine Step and Reset move through the record", () => {
  const store = new Store();
  const { control, posted } = controlWith(store);
  store.open(sample.record(), "recorded");
  control.setMode("playback");
  control.reset();
  assert.equal(store.step, 0);
  control.step(2);
  assert.equal(store.step, 2);
  assert.deepEqual(posted, []);
});

// Runs of a visit: each is kept once, shown again with all its figures, and laid over another.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Cursor, mostShifted } from "../../www/js/state/cursor.js";
import { Runs } from "../../www/js/state/runs.js";
import { Store } from "../../www/js/state/store.js";
import * as sample from "./sample.js";

const live = (store, id) => {
  store.startLive(sample.run(id), "cpu", "rows");
  for (const arm of ["lora", "full"]) {
    store.apply({ ...sample.measure(arm, 0), run: id });
    store.apply({ ...sample.step(arm, 1), run: id });
    store.apply({ ...sample.measure(arm, 1, "bm"), run: id });
  }
};

test("runs are kept, shown again and forgotten", () => {
  const store = new Store();
  const runs = new Runs(store);
  const record = sample.record();
  store.open(record, "recorded");
  store.open(record, "recorded");
  assert.deepEqual(runs.kept.map(({ id }) => id), [1]);
  live(store, 8);
  live(store, 9);
  assert.deepEqual(runs.kept.map(({ id, source }) => [id, source.kind]), [[1, "recorded"], [2, "live"], [3, "live"]]);
  assert.equal(runs.shown.id, 3);
  assert.equal(runs.open(runs.kept[1]).measure("full").cells, "bm");
  runs.show(2);
  assert.equal(runs.shown.id, 2);
  assert.deepEqual([store.source.kind, store.newest, store.run.run], ["kept", 1, 8]);
  runs.forget(2);
  assert.equal(runs.kept.length, 3, "the run that is shown stays");
  runs.forget(3);
  assert.deepEqual(runs.kept.map(({ id }) => id), [1, 2]);
});

test("an arm of another run is laid over the one that is shown", () => {
  const store = new Store();
  const runs = new Runs(store);
  store.open(sample.record(), "recorded");
  live(store, 8);
  runs.setOverlaid(1, "full", true);
  runs.setOverlaid(2, "full", true);
  assert.deepEqual(store.overlays.map(({ label, place }) => [label, place]), [["1: Full", 1]]);
  assert.equal(store.lastStep, Math.max(store.run.settings.steps, 3));
  runs.show(1);
  assert.deepEqual(store.overlays.map(({ label }) => label), ["2: Full"]);
  runs.forget(2);
  assert.deepEqual(store.overlays, []);
});

test("no more than thirty runs are kept", () => {
  const store = new Store();
  const runs = new Runs(store);
  for (let id = 1; id <= 40; id += 1) store.startLive(sample.run(id), "cpu", "rows");
  assert.equal(runs.kept.length, 30);
  assert.equal(runs.kept[0].id, 11);
});

test("the most shifted answer is found, and another question leaves no token chosen", () => {
  const store = new Store();
  store.startLive(sample.run(), "cpu", "rows");
  const shifted = sample.text("full", 1, "Second?");
  shifted.tokens = [{ ...shifted.tokens[0], rank: 9 }, shifted.tokens[0]];
  store.apply(sample.text("lora", 1, "First?"));
  assert.equal(mostShifted(store), "");
  store.apply(shifted);
  assert.equal(mostShifted(store), "Second?");
  const cursor = new Cursor(() => {});
  cursor.ask("First?");
  cursor.choose("full", 1);
  cursor.ask("Second?");
  assert.equal(cursor.token("full"), -1);
});

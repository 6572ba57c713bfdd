import assert from "node:assert/strict";
import { test } from "node:test";
import { Store, countUpTo, lastUpTo } from "../../www/js/state/store.js";
import * as sample from "./sample.js";

test("searches entries by step", () => {
  const entries = [{ step: 0 }, { step: 10 }, { step: 20 }];
  assert.equal(lastUpTo(entries, 15).step, 10);
  assert.equal(lastUpTo(entries, 20).step, 20);
  assert.equal(lastUpTo(entries, -1), null);
  assert.equal(lastUpTo([], 3), null);
  assert.equal(countUpTo(entries, 10), 2);
});

test("a record and the same events live give the same state", () => {
  const record = sample.record();
  const played = new Store();
  played.open(record, "recorded");
  const live = new Store();
  for (const event of record.events) live.apply(event);
  for (const store of [played, live]) {
    assert.equal(store.newest, 3);
    assert.equal(store.isDone, true);
    assert.equal(store.measure("full").cells, "bm");
    assert.equal(store.measure("full", 1).cells, "kw");
    assert.equal(store.summary.title, "Sample");
  }
  assert.deepEqual(played.events, live.events);
});

test("every view follows the chosen step, the pointer first", () => {
  const store = new Store();
  store.open(sample.record(), "recorded");
  let changes = 0;
  store.subscribe(() => (changes += 1));
  store.pin(1);
  assert.equal(store.step, 1);
  assert.equal(store.measuredStep, 0);
  store.hover(2);
  assert.equal(store.step, 2);
  store.hover(null);
  assert.equal(store.step, 1);
  store.pin(99);
  assert.equal(store.step, 3);
  store.pin(null);
  assert.ok(store.isFollowing);
  assert.equal(changes, 5);
});

test("a new run replaces the old one and its late events are dropped; the summary stays", () => {
  const store = new Store();
  store.open(sample.record(), "recorded");
  store.startLive(sample.run(8), "cpu", "rows");
  store.apply(sample.step("lora", 1)); // of run 7
  assert.equal(store.newest, 0);
  assert.equal(store.events.length, 1);
  assert.equal(store.source.kind, "live");
  assert.equal(store.summary.title, "Sample");
  assert.equal(store.measure("lora"), null);
});

test("tokens add up to the chosen step", () => {
  const store = new Store();
  store.open(sample.record(), "recorded");
  assert.equal(store.recent("lora", 2).tokens, 30);
  assert.deepEqual(
    store.recent("lora", 2).steps.map((entry) => entry.step),
    [2, 3],
  );
  assert.equal(store.recent("lora", 2, 0).tokens, 0);
});

test("answers are found by question and step", () => {
  const store = new Store();
  store.open(sample.record(), "recorded");
  assert.deepEqual(store.questions, ["Q?"]);
  assert.equal(store.text("lora", "Q?").step, 2);
  assert.equal(store.text("full", "Q?").step, 0);
  assert.equal(store.text("lora", "other"), null);
});

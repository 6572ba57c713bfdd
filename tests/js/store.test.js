import assert from "node:assert/strict";
import { test } from "node:test";
import { Store } from "../../www/js/state/store.js";
import * as sample from "./sample.js";

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

test("arms are a list: places, labels, and those that are muted", () => {
  const store = new Store();
  const event = sample.run();
  event.settings.arms = ["one", "two", "three"].map((id) => ({ ...event.settings.arms[0], id, label: `Arm ${id}` }));
  event.arms = event.settings.arms.map(({ id }) => ({ arm: id, trainable_parameters: 1, optimizer_bytes: 12 }));
  store.startLive(event, "cpu", null);
  assert.deepEqual(store.armNames, ["one", "two", "three"]);
  assert.deepEqual([store.placeOf("three"), store.armAt(1), store.armAt(5)], [2, "two", null]);
  assert.equal(store.perArm((id) => id.length), "Arm one 3, Arm two 3, Arm three 5");
  const before = store.measuredVersion;
  store.mute(["two"]);
  assert.ok(store.measuredVersion > before);
  assert.deepEqual(store.armNames, ["one", "three"]);
  assert.deepEqual([store.armAt(1), store.armAt(2)], [null, "three"]); // colours stay
  store.mute(["one", "two", "three"]);
  assert.equal(store.armNames.length, 3); // nothing would be left to see
  assert.equal(store.label("base"), "Base");
});

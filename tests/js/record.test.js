import assert from "node:assert/strict";
import { test } from "node:test";
import { readFileSync, readdirSync } from "node:fs";
import { RecordError } from "../../www/js/state/check.js";
import { parseRecord, writeCsv, writeRecord } from "../../www/js/state/record.js";
import { Store } from "../../www/js/state/store.js";
import * as sample from "./sample.js";

const read = (value) => parseRecord(JSON.stringify(value));
const refused = (value, pattern) =>
  assert.throws(
    () => read(value),
    (error) => error instanceof RecordError && pattern.test(error.message),
  );

test("a record passes, also with losses that are not numbers", () => {
  const record = sample.record();
  record.events.find((event) => event.type === "step").loss = null;
  assert.equal(read(record).events.length, record.events.length);
});

test("format and version are checked first", () => {
  refused(null, /not a Driftscope run/);
  refused({ format: "other" }, /not a Driftscope run/);
  refused({ ...sample.record(), version: 3 }, /version 3; the page reads versions 1 to 2/);
  refused({ ...sample.record(), version: "2" }, /version "2"/);
  refused({ ...sample.record(), events: [] }, /no run/);
  assert.throws(() => parseRecord("{"), /not JSON/);
});

test("a damaged event is named with its place", () => {
  const damage = (change) => {
    const record = structuredClone(sample.record());
    change(record.events);
    return record;
  };
  refused(
    damage((events) => (events[0].facts[1].cloze = 3)),
    /events\[0\]\.facts\[1\]\.cloze should be text/,
  );
  refused(
    damage((events) => (events[1].cells = "kkk")),
    /events\[1\]\.cells should be one letter/,
  );
  refused(
    damage((events) => (events[1].shift = null)),
    /events\[1\]\.shift should be an object/,
  );
  refused(
    damage((events) => (events[2].arm = 3)),
    /arm should be text/,
  );
  refused(
    damage((events) => (events[3].tokens[0].top = [["a"]])),
    /top\[0\] should be a list of 2/,
  );
  refused(
    damage((events) => (events[5].step = -1)),
    /step should be a whole number/,
  );
  refused(
    damage((events) => (events[5].type = "constructor")),
    /type should be one of/,
  );
});

test("what is written can be read, with its instruction set", () => {
  const store = new Store();
  const [run, ...rest] = sample.record().events;
  store.startLive(run, "cpu", '{"instruction":"a","output":"b"}');
  rest.forEach((event) => store.apply(event));
  const again = parseRecord(writeRecord(store));
  assert.equal(again.engine, "cpu");
  assert.equal(again.instructions, '{"instruction":"a","output":"b"}');
  const copy = new Store();
  copy.open(again, "imported");
  assert.deepEqual(copy.events, store.events);
});

test("the CSV has a row for each arm and step", () => {
  const store = new Store();
  store.open(sample.record(), "recorded");
  const [head, ...rows] = writeCsv(store).trimEnd().split("\n");
  assert.equal(rows.length, 8);
  assert.ok(rows.every((row) => row.split(",").length === head.split(",").length));
});

test("a record with all that newer ones have passes, and its damage is named", () => {
  const make = () => {
    const record = sample.record();
    const [run, measure] = record.events;
    run.added = [["question", "answer"]];
    measure.conversation = { format: 1, right: 2, both: 1, n: 3 };
    const tokens = { n: 1, kl: 0.1, unshifted: 1, marginal: 0, shifted: 0 };
    measure.shift.classes = { opener: tokens, fact: tokens, style: tokens };
    record.events.splice(-1, 1, ...sample.weightEvents(), sample.counterfactual(), sample.experiment());
    return record;
  };
  assert.ok(read(make()));
  const damaged = (change) => {
    const record = make();
    change(record.events, record.events.at(-1));
    return record;
  };
  refused(
    damaged((events) => (events[0].added = [["question"]])),
    /added\[0\] should be a list of 2/,
  );
  refused(
    damaged((events) => (events[1].shift.classes.fact = null)),
    /classes\.fact should be an object/,
  );
  refused(
    damaged((events) => (events[1].conversation.n = "3")),
    /conversation\.n should be a whole number/,
  );
  refused(
    damaged((_, summary) => (summary.comparisons[0].reading = "proved")),
    /reading should be one of/,
  );
  refused(
    damaged((_, summary) => (summary.rows[1].fairness = "fair")),
    /fairness should be one of/,
  );
  refused(
    damaged((_, summary) => (summary.rows[1].figures.kl = 3)),
    /rows\[1\]\.figures\.kl should be an object/,
  );
  refused(
    damaged((events) => (events.find(({ type }) => type === "weights").matrices[0].of = null)),
    /matrices\[0\]\.of should be a whole number/,
  );
});

test("the store keeps checks, weights and doses, and the summary goes into the file", () => {
  const store = new Store();
  const record = sample.record();
  record.events.splice(-1, 1, ...sample.weightEvents(), sample.counterfactual(), sample.experiment());
  store.open(record, "recorded");
  assert.equal(store.weights("lora").step, 2);
  assert.equal(store.weights("lora", 1), null);
  assert.equal(store.log("lora").strengths.length, 1);
  const older = parseRecord(writeRecord(store)).events.find(({ type }) => type === "strength");
  assert.equal(older.intruders, 1); // it was measured before there were two numbers
  store.pin(2);
  const labels = [older, { ...older, strength: 1 }, { ...older, intruders: 0.7 }].map((dose) => (store.apply(dose), store.dosedLabel("lora")));
  assert.deepEqual(labels, ["LoRA, λ 0.5", "LoRA", "LoRA, λ 0.5, intruders × 0.70"]);
  assert.equal(store.checks.length, 1);
  assert.equal(store.summaryKind, "recorded");
  assert.deepEqual(parseRecord(writeRecord(store)).events.at(-1), sample.experiment());
  store.startLive(sample.run(8), "cpu", "rows");
  assert.equal(store.checks.length, 0);
  assert.ok(!writeRecord(store).includes("summary")); // that of the record is not this run's
});

test("a run has one to six arms of its own", () => {
  const withArms = (change) => {
    const record = sample.record();
    change(record.events[0]);
    return record;
  };
  const arm = sample.run().settings.arms[0];
  const many = Array.from({ length: 7 }, (_, i) => ({ ...arm, id: `lora-${i}` }));
  refused(
    withArms(({ settings }) => (settings.arms = many)),
    /1 to 6 arms, not 7/,
  );
  refused(
    withArms(({ settings }) => (settings.arms = [arm, arm])),
    /ids of their own/,
  );
  refused(
    withArms(({ settings }) => (settings.arms[0].method = { kind: "prefix" })),
    /method\.kind should be one of lora, full/,
  );
  refused(
    withArms((run) => run.arms.pop()),
    /should be the arms of its settings: lora, full/,
  );
});

test("a record of version 1 opens as two arms", () => {
  const content = readFileSync(new URL("fixtures/record-v1.json", import.meta.url), "utf8");
  const record = parseRecord(content);
  const [run, , , , , ...rest] = record.events;
  assert.deepEqual(
    run.settings.arms.map(({ id, method, lr }) => [id, method.kind, lr]),
    [
      ["lora", "lora", 1e-3],
      ["full", "full", 1e-3],
    ],
  );
  assert.ok(!("rank" in run.settings) && run.settings.arms[0].method.rank === 8);
  const summary = rest.at(-1);
  assert.deepEqual(summary.arms.map(({ label }) => label), ["LoRA", "Full"]);
  assert.equal(summary.rows[1].figures.kl.mean, 0.2);
  const damaged = JSON.parse(content);
  damaged.events[0].settings.arms = ["lora", "prefix"];
  refused(damaged, /arms\[1\] should be an object/);
});

test("the recorded runs of the page open", () => {
  const folder = new URL("../../examples/", import.meta.url);
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".json"))) {
    const record = parseRecord(readFileSync(new URL(name, folder), "utf8"));
    assert.ok(record.events.length > 0 && record.version === 2, name);
  }
});

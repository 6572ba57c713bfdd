import assert from "node:assert/strict";
import { test } from "node:test";
import { RecordError, checkRecord, parseRecord, writeCsv, writeRecord } from "../../www/js/record.js";
import { Store } from "../../www/js/store.js";
import * as sample from "./sample.js";

const refused = (value, pattern) =>
  assert.throws(
    () => checkRecord(value),
    (error) => error instanceof RecordError && pattern.test(error.message),
  );

test("a record passes, also with losses that are not numbers", () => {
  const record = sample.record();
  record.events.find((event) => event.type === "step").loss = null;
  assert.equal(checkRecord(record), record);
});

test("format and version are checked first", () => {
  refused(null, /not a Driftscope run/);
  refused({ format: "other" }, /not a Driftscope run/);
  refused({ ...sample.record(), version: 2 }, /version 2; the page reads version 1/);
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
    damage((events) => (events[2].arm = "<b>")),
    /one of base, lora, full/,
  );
  refused(
    damage((events) => (events[3].tokens[0].top = [["a"]])),
    /top\[0\] should be a pair/,
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

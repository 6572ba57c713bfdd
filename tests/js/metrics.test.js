// The figures of a measure: the page computes each as the engine does, which wrote the fixture (src/record/contract.rs).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { METRICS } from "../../www/js/contract/data.js";
import { metricOf } from "../../www/js/state/metrics.js";

const fixture = JSON.parse(readFileSync(new URL("fixtures/metrics.json", import.meta.url), "utf8"));

test("every metric of a measure is what the engine computes, and none where it has none", () => {
  for (const { measure, values } of fixture) {
    for (const { name } of METRICS) assert.equal(metricOf(name, measure), values[name] ?? NaN, name);
  }
  const [all, none] = fixture.map(({ values }) => Object.keys(values));
  assert.ok(all.length >= 27, "the fixture has nearly all of them");
  assert.deepEqual(none, ["heldout_loss"]);
});

test("a name that is no metric, and no measure, have no figure", () => {
  assert.ok(Number.isNaN(metricOf("size", fixture[0].measure)));
  assert.ok(Number.isNaN(metricOf("kl", null)));
});

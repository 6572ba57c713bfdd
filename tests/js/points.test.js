// What the figures of learning, drift and rates show.
import assert from "node:assert/strict";
import { test } from "node:test";
import { readFileSync } from "node:fs";
import { BEST_RATES } from "../../www/js/contract/data.js";
import { metricOf } from "../../www/js/state/metrics.js";
import { Store } from "../../www/js/state/store.js";
import { offRate } from "../../www/js/views/off-rate.js";
import { FIGURES, fitCurve, frontierCurves, kindOf, liveCheckpoints, ratesOf } from "../../www/js/views/points.js";
import * as sample from "./sample.js";

const recorded = (name) => {
  const { events } = JSON.parse(readFileSync(new URL(`../../examples/${name}.json`, import.meta.url), "utf8"));
  return events.find(({ type }) => type === "summary");
};

test("a frontier falls in steps, in the unit of what is learned", () => {
  const summary = { ...sample.experiment(), frontiers: [{ arm: "full", area: { mean: 1, sd: 0, ci: 0 }, seeds: 1, corners: [[1, 0.9], [0.5, 0.6]] }] };
  assert.deepEqual(frontierCurves(summary), [{ place: 1, points: [{ x: 1, y: 90 }, { x: 1, y: 60 }, { x: 0.5, y: 60 }] }]);
  const [curve] = frontierCurves({ ...summary, goal: "recall_new" });
  assert.equal(curve.points[0].x, 100);
  assert.deepEqual(frontierCurves(sample.experiment()), []);
});

test("a fit is a parabola from 0 on", () => {
  const summary = { ...sample.experiment(), fits: [{ metric: "kl", coefficients: [0, 0.1, 0.2], r2: 0.9, n: 9 }] };
  const [{ points }] = fitCurve(summary, false, 2);
  assert.deepEqual([points[0], points[20], points[40]], [{ x: 0, y: 0 }, { x: 1, y: 30.000000000000004 }, { x: 2, y: 100 }]);
  assert.deepEqual(fitCurve(summary, true, 2), []);
});

test("figures go by what was measured", () => {
  const points = sample.experiment().checkpoints;
  const [tradeOff, drift] = FIGURES;
  const old = kindOf(points, sample.experiment());
  assert.deepEqual(old, { hasTask: false, hasNew: false });
  const now = kindOf(points.map((point) => ({ ...point, kl_task: 0.3, recall_new: 0.5 })), { ...sample.experiment(), goal: "recall_new" });
  const point = { heldout_loss: 1, recall_cloze: 0.75, kl: 0.2, kl_task: 0.3, recall_new: 0.5 };
  assert.deepEqual([old, now].map((kind) => tradeOff.view(kind).x(point)), [1, 50]);
  assert.deepEqual([old, now].map((kind) => drift.view(kind).x(point)), [0.2, 0.3]);
  assert.equal(drift.view(now).y(point), 25);
});

test("the run that is shown has the same figures", () => {
  const store = new Store();
  store.open(sample.record(), "imported");
  const points = liveCheckpoints(store);
  assert.deepEqual(points.map(({ arm, step }) => [arm, step]), [["lora", 0], ["lora", 2], ["full", 0], ["full", 2]]);
  assert.equal(points[0].kl_task, undefined);
  const measure = { ...sample.measure("lora", 0), kl_task: 0.25, diversity: { unique: 3, n: 4 } };
  assert.deepEqual([metricOf("kl_task", measure), metricOf("diversity", measure)], [0.25, 0.75]);
});

test("a sweep's last checkpoints are a U for each arm and seed", () => {
  const all = ratesOf(recorded("lora-vs-full"));
  assert.equal(all.length, 6); // two arms, three seeds
  for (const points of all) {
    assert.equal(points.length, 6);
    const losses = points.map(({ heldout_loss }) => heldout_loss);
    const lowest = losses.indexOf(Math.min(...losses));
    assert.ok(lowest > 0 && lowest < 5, `${points[0].arm}: ${losses}`);
  }
  assert.deepEqual(ratesOf(sample.experiment()), []);
  assert.deepEqual(ratesOf(null), []);
});

test("a rate off the best one is named", () => {
  const at = (kind, lr) => offRate([{ label: "Arm", kind, lr }]);
  assert.equal(at("lora", BEST_RATES.lora), "");
  assert.equal(at("lora", 1.9 * BEST_RATES.lora), "");
  assert.match(at("full", 1e-3), /Arm 33.3 ×/);
  assert.match(at("lora", 3e-5), /Arm 0.10 ×/);
  assert.equal(at("prefix", 1), "");
});

// The charts' columns: the same whether entries come one by one or at once, in whatever order of the arms.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Columns } from "../../www/js/state/columns.js";

const steps = (...list) => list.map((step) => ({ step, loss: step / 2 }));
const loss = (entry) => entry.loss;

test("columns grow with their lists, with gaps where a list has no entry", () => {
  const columns = new Columns(2, [0, 100]);
  columns.extend(0, steps(1, 2, 3), loss);
  columns.extend(1, steps(0, 2), loss);
  assert.deepEqual(columns.x, [0, 1, 2, 3, 100]);
  assert.deepEqual(columns.values, [
    [null, 0.5, 1, 1.5, null],
    [0, null, 1, null, null],
  ]);
  const { x } = columns;
  columns.extend(1, steps(0, 2, 4), loss);
  assert.equal(columns.x, x, "extended in place");
  assert.deepEqual(columns.x, [0, 1, 2, 3, 4, 100]);
  assert.deepEqual(columns.values[1], [0, null, 1, null, 2, null]);
});

test("an arm may lag behind, and one by one gives the same as at once", () => {
  const [a, b] = [steps(1, 2, 5), steps(1, 3, 4)];
  const atOnce = new Columns(2, [0, 9]);
  atOnce.extend(0, a, loss);
  atOnce.extend(1, b, loss);
  const oneByOne = new Columns(2, [0, 9]);
  for (let n = 1; n <= 3; n += 1) {
    oneByOne.extend(0, a.slice(0, n), loss);
    oneByOne.extend(1, b.slice(0, n), loss);
  }
  assert.deepEqual(atOnce, oneByOne);
  assert.deepEqual(atOnce.x, [0, 1, 2, 3, 4, 5, 9]);
});

test("what is no number is a gap", () => {
  const columns = new Columns(1, [0]);
  columns.extend(0, [{ step: 0, loss: NaN }, { step: 1, loss: null }, { step: 2 }], loss);
  assert.deepEqual(columns.values, [[null, null, null]]);
});

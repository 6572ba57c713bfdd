// Which worker has which arms, and how many workers there are.
import assert from "node:assert/strict";
import { test } from "node:test";
import { mostWorkers, shareOut, workersIn } from "../../www/js/engine/shares.js";

const arm = (id, kind = "lora", kl_to_base = 0) => ({ id, method: { kind }, regularisers: { kl_to_base } });

test("shares are as even as can be, the leading worker's is the lightest, and arms stay in order", () => {
  assert.deepEqual(shareOut([arm("lora"), arm("full", "full")], 2), [["lora"], ["full"]]);
  assert.deepEqual(shareOut([arm("f", "full"), arm("l")], 2), [["l"], ["f"]]);
  assert.deepEqual(shareOut([arm("f", "full"), arm("l"), arm("m")], 2), [["f"], ["l", "m"]]);
  assert.deepEqual(shareOut([arm("l"), arm("f", "full"), arm("k", "lora", 1), arm("g", "full", 1)], 2), [["l", "g"], ["f", "k"]]);
  assert.deepEqual(shareOut([arm("l")], 4), [["l"]]);
});

test("there is a worker a core, while the copies of the base fit", () => {
  assert.equal(mostWorkers({ cores: 8, gigabytes: 8, bytes: 12e6 }), 8);
  assert.equal(mostWorkers({ cores: 8, gigabytes: 8, bytes: 561e6 }), 4);
  assert.equal(mostWorkers({ cores: 8, bytes: 561e6 }), 2);
  assert.equal(mostWorkers({ cores: 8, gigabytes: 1, bytes: 12e6 }), 3);
  assert.equal(mostWorkers({ cores: 8, gigabytes: 2, bytes: 561e6 }), 1);
  assert.equal(mostWorkers({ wanted: 1, cores: 8, bytes: 12e6 }), 1);
  assert.equal(mostWorkers({ bytes: 12e6 }), 1);
  assert.deepEqual(["?workers=3", "?workers=0", "?workers=x", "?a=b", ""].map(workersIn), [3, undefined, undefined, undefined, undefined]);
});

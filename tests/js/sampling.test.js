// How the question box reads temperature, top-p and seed.
import assert from "node:assert/strict";
import { test } from "node:test";
import { SAMPLING, describeSampling, readField } from "../../www/js/views/sampling.js";

test("values stay within what the engine takes", () => {
  assert.equal(readField("temperature", "0.7", 0), 0.7);
  assert.equal(readField("temperature", "-1", 0), 0);
  assert.equal(readField("temperature", "0.0001", 1), 0); // the engine's smallest draw is at 0.001
  assert.equal(readField("temperature", "1e9", 0), 10);
  assert.equal(readField("top_p", "1.5", 0), 1);
  assert.equal(readField("seed", "7.4", 0), 7);
  assert.equal(readField("seed", "1e12", 0), 4294967295);
});

test("what is no number leaves the last value", () => {
  for (const name of Object.keys(SAMPLING)) assert.equal(readField(name, "warm", 0.5), 0.5);
});

test("an answer says how it was made", () => {
  assert.equal(describeSampling({ temperature: 0, top_p: 0.9, seed: 3 }), "greedy");
  assert.equal(describeSampling({ temperature: 1, top_p: 1, seed: 3 }), "drawn at temperature 1, seed 3");
  assert.equal(describeSampling({ temperature: 1, top_p: 0.9, seed: 3 }), "drawn at temperature 1, top-p 0.9, seed 3");
});

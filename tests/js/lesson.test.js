// Lessons: the files that ship open, others are refused by name, and sentences are made from the shown run's figures.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { PRESETS } from "../../www/js/contract/data.js";
import { readHash } from "../../www/js/state/hash.js";
import { factOf, inLanguage, parseLesson, withFigures } from "../../www/js/state/lesson.js";
import { metricOf } from "../../www/js/state/metrics.js";
import { Store } from "../../www/js/state/store.js";
import { markup } from "./markup.js";
import * as sample from "./sample.js";

const folder = new URL("../../www/lessons/", import.meta.url);
const shipped = readdirSync(folder).map((name) => [name, readFileSync(new URL(name, folder), "utf8")]);
const page = markup();

test("lessons that ship open, and what they name is there", () => {
  assert.equal(shipped.length, 2);
  for (const [name, text] of shipped) {
    const lesson = parseLesson(text);
    assert.ok(lesson.steps.length >= 7 && lesson.steps.length <= 9, name);
    const scenes = lesson.steps.flatMap((step) => [step.scene, ...step.actions.map((action) => action.scene)]);
    for (const scene of scenes.filter(Boolean)) {
      if (scene.record) assert.ok(PRESETS.some((preset) => preset.name === scene.record), scene.record);
      if (scene.figure) assert.ok(page.includes(`data-figure="${scene.figure}"`), scene.figure);
      if (scene.drawer) assert.ok(page.includes(`<section id="${scene.drawer}" class="drawer"`), scene.drawer);
    }
    for (const { settings } of lesson.steps.flatMap((step) => step.actions)) {
      if (settings) assert.deepEqual(readHash(`#v=2&${settings}`).ignored, [], settings);
    }
  }
});

test("what is no lesson is refused, and named", () => {
  const good = JSON.parse(shipped[0][1]);
  for (const [lesson, why] of [
    ["{", /not JSON/],
    ["[]", /not a Driftscope lesson/],
    [JSON.stringify({ ...good, version: 9 }), /version 9; the page reads version 1/],
    [JSON.stringify({ ...good, steps: [] }), /should have a step/],
    [JSON.stringify({ ...good, title: "x" }), /lesson\.title/],
    [JSON.stringify({ ...good, steps: [{ ...good.steps[0], scene: { panel: "left" } }] }), /steps\[0\]\.scene\.panel/],
    [JSON.stringify({ ...good, steps: [{ ...good.steps[0], onclick: "alert(1)" }] }), /steps\[0\].*onclick/],
  ]) {
    assert.throws(() => parseLesson(lesson), why);
  }
});

test("a text is taken in the wanted language, or in one that there is", () => {
  assert.equal(inLanguage({ en: "a", de: "b" }, "de"), "b");
  assert.equal(inLanguage({ en: "a" }, "de"), "a");
  assert.equal(inLanguage({ fr: "c" }, "de"), "c");
  assert.equal(inLanguage(undefined, "de"), "");
});

test("sentences are made from figures of the step that is shown", () => {
  const store = new Store();
  store.open(sample.record(), "recorded");
  assert.equal(withFigures("{label full}: {recall_cloze full}, base {recall_cloze base}", store), "Full: 0.0\u00a0%, base 100.0\u00a0%");
  assert.equal(withFigures("{step}, {heldout_loss lora}, {borrowed_of_errors full}", store), "2, 0.33, –");
  store.pin(0);
  assert.equal(withFigures("{step} {recall_cloze full}", store), "0 100.0\u00a0%");
  store.run.settings.arms[0].label = "Rank 1";
  assert.equal(withFigures("{recall_cloze lora} {recall_cloze full}", store), "– 100.0\u00a0%", "a sentence about LoRA is not about rank 1");
  assert.equal(withFigures("{nothing} {recall_cloze nobody} {constructor full}", store), "– – –");
  assert.equal(withFigures("a { b } {}", store), "a { b } {}");
});

test("a figure that was not measured is none", () => {
  assert.ok(Number.isNaN(metricOf("recall_new", sample.measure("full", 1))));
  assert.ok(Number.isNaN(metricOf("kl", null)));
  assert.equal(metricOf("borrowed", { ...sample.measure("full", 1), errors: { borrowed: 1, other: 1, malformed: 0, n: 4, borrowed_by_chance: 0.5 } }), 0.25);
});

test("a fact is found by what a scene says of it", () => {
  const store = new Store();
  store.open(sample.record(), "recorded");
  const nameOf = (letter) => ({ b: "borrowed", m: "malformed" })[letter] ?? "known";
  assert.equal(factOf({ subject: "peru" }, store, nameOf), 1);
  assert.equal(factOf({ arm: "full", state: "malformed" }, store, nameOf), 1);
  assert.equal(factOf({ state: "malformed" }, store, nameOf), 1);
  assert.equal(factOf({ subject: "France", state: "malformed", arm: "full" }, store, nameOf), -1);
});

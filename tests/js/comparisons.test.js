// What the page makes of an experiment's figures is what the engine wrote into the record beside them.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { PRESETS } from "../../www/js/contract/data.js";
import { comparisonText, conditionName, verdictOf } from "../../www/js/state/comparisons.js";
import * as sample from "./sample.js";

const read = (path) => JSON.parse(readFileSync(new URL(`../../${path}`, import.meta.url), "utf8"));
const summaries = PRESETS.map(({ name }) => read(`examples/${name}.json`).events.find(({ type }) => type === "summary"));

const NUMBER = /[+-]?\d+\.\d+/g;
/** The last digit may be rounded otherwise, for the engine had more of them; and older records have "full" for "Full". */
function assertSame(made, recorded) {
  const words = (text) => text.replace(NUMBER, "#").toLowerCase();
  assert.equal(words(made), words(recorded));
  const figures = (text) => text.match(NUMBER) ?? [];
  figures(made).forEach((figure, i) => {
    const other = figures(recorded)[i];
    const digit = 10 ** -other.split(".")[1].length;
    assert.ok(Math.abs(Number(figure) - Number(other)) < 1.001 * digit, `${made}\n${recorded}`);
  });
}

test("every recorded comparison and verdict is made anew from its figures", () => {
  for (const summary of summaries) {
    assert.ok(summary.comparisons.length > 0, summary.preset);
    assert.equal(verdictOf(summary), summary.verdict);
    for (const comparison of summary.comparisons) assertSame(comparisonText(summary, comparison), comparison.text);
  }
});

test("single seeds show a direction, and an older record says itself what it found", () => {
  const summary = sample.experiment();
  const single = summary.comparisons.map((comparison) => ({ ...comparison, margin: null, noise: null, reading: "one_seed" }));
  assert.match(verdictOf({ ...summary, comparisons: single }), /^3 comparisons of single seeds: they show a direction/);
  assert.match(comparisonText(summary, single[0]), /difference \+0\.10, one seed, no interval: a direction only\.$/);
  assert.equal(verdictOf(sample.summary()), "None.");
});

test("German has every condition of the recorded experiments, and no other", () => {
  const german = Object.keys(read("www/lang/de.json")).filter((name) => name.startsWith("condition."));
  const recorded = summaries.flatMap(({ rows }) => rows.map(({ condition }) => `condition.${condition}`));
  const untranslated = ["condition.DoRA", "condition.rsLoRA"];
  assert.deepEqual(german, [...new Set(recorded)].filter((name) => !untranslated.includes(name)).sort());
  assert.equal(conditionName("mine"), "mine");
});

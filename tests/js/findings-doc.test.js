// docs/findings.md has every figure as the records have it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { filled, old } from "../../scripts/findings.mjs";

test("no figure of the report is old", () => {
  assert.deepEqual(old().map(([path]) => path), [], "run scripts/findings.mjs --write");
});

test("a figure that no record has is an error, one that is old is replaced", () => {
  assert.match(filled("<!--=f4 mean recall_cloze before tuning/-/base-->12<!--/-->"), />99\.4</);
  assert.throws(() => filled("<!--=f4 mean recall_cloze as they are/best_rate/dora--><!--/-->"), /0 of as they are\/best_rate\/dora/);
  assert.throws(() => filled("<!--=f4 sum recall_cloze--><!--/-->"), /no sum/);
  const table = filled("<!--table f4: kl = KL; before tuning/-/base = base--><!--/table-->");
  assert.match(table, /\| {2}\| KL \|\n\|---\|---\|\n\| base \| 0\.00 ± 0\.00 \|/);
});

// The list of arms: adding, copying, removing, another method; and the styles that tell six apart.
import assert from "node:assert/strict";
import { test } from "node:test";
import { MOST_ARMS } from "../../www/js/contract/data.js";
import * as arms from "../../www/js/state/arms.js";
import { defaults } from "../../www/js/state/settings.js";
import { armLine, markerPath } from "../../www/js/ui/arm-style.js";

const ids = (list) => list.map((arm) => arm.id);

test("arms are added, copied and removed, each with a name of its own", () => {
  let list = defaults().arms;
  list = arms.added(list, "lora");
  assert.deepEqual(list.map(({ id, label }) => [id, label]).at(-1), ["lora-2", "LoRA 2"]);
  list = arms.duplicated(list, "full");
  assert.deepEqual(ids(list), ["lora", "full", "full-2", "lora-2"]);
  list = arms.removed(list, "lora");
  assert.deepEqual(ids(list), ["full", "full-2", "lora-2"]);
  while (list.length < MOST_ARMS) list = arms.added(list, "full");
  assert.equal(arms.added(list, "full").length, MOST_ARMS);
  assert.equal(arms.duplicated(list, "full").length, MOST_ARMS);
  for (const id of ids(list)) list = arms.removed(list, id);
  assert.equal(list.length, 1); // the last one stays
});

test("another method keeps what both have", () => {
  const [lora] = defaults().arms;
  const before = { ...lora, lr: 0.5, regularisers: { ...lora.regularisers, kl_to_base: 2 } };
  const after = arms.withMethod(before, "full");
  assert.deepEqual([after.id, after.label, after.method], ["lora", "Full", { kind: "full" }]);
  assert.deepEqual([after.lr, after.regularisers.kl_to_base], [0.5, 2]);
  assert.equal(arms.withMethod({ ...before, label: "Mine" }, "full").label, "Mine");
});

test("labels are refused with a reason", () => {
  const [lora, full] = defaults().arms;
  assert.equal(arms.labelError("Mine", lora, [lora, full]), "");
  assert.match(arms.labelError("Full", lora, [lora, full]), /Another arm/);
  assert.match(arms.labelError("  ", lora, [lora]), /1 to 40/);
});

test("an arm in a line is read back, and a damaged one is named", () => {
  let list = arms.duplicated(defaults().arms, "full");
  list = arms.replaced(list, { ...list[2], label: "Full, decayed", regularisers: { ...list[2].regularisers, weight_decay: 0.1 } });
  assert.deepEqual(arms.readArms(list.map((arm) => arms.writeArm(arm))), list);
  const named = arms.replaced(list, { ...list[0], label: "a lr=1", lr: 0.5 })[0];
  assert.equal(arms.writeArm(named), 'lora lr=0.5 label="a lr=1"');
  assert.equal(arms.writeArm(named, ["lr", "label"]), "lora");
  assert.throws(() => arms.readArms(["lora r=many"]), /r=many can't be read/);
  assert.throws(() => arms.readArms(["full r=8"]), /r=8 can't be read/);
});

test("six arms differ in colour, dash and marker, each by itself", () => {
  const lines = Array.from({ length: MOST_ARMS }, (_, place) => armLine(place, ""));
  for (const part of ["color", "dash", "marker"]) {
    assert.equal(new Set(lines.map((line) => JSON.stringify(line[part]))).size, MOST_ARMS, part);
  }
  for (const { marker } of lines) assert.match(markerPath(marker, 4), /^M[-\d. LA]+Z$/);
});

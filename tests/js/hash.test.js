// Links: what is written is read back, what is hostile is left out, and those of version 1 open.
import assert from "node:assert/strict";
import { test } from "node:test";
import { RUN_FIELDS } from "../../www/js/contract/data.js";
import { readHash, writeHash } from "../../www/js/state/hash.js";
import { defaults, differences, readField } from "../../www/js/state/settings.js";

const link = (changes) => ({ settings: defaults(), muted: [], backend: "auto", hidden: [], set: "", lesson: 0, ignored: [], ...changes });

test("only what differs is written, and it is read back", () => {
  assert.equal(writeHash(defaults()), "");
  const settings = { ...defaults(), batch: 4, simplified: true, filter: "longest" };
  const [lora, full] = settings.arms;
  settings.arms = [
    { ...lora, lr: 3e-3, schedule: "cosine", method: { ...lora.method, rank: 4, targets: ["q_proj", "v_proj"] } },
    { ...full, id: "near", label: "Near, the base", regularisers: { ...full.regularisers, kl_to_base: 0.1 } },
  ];
  const hash = writeHash(settings, { backend: "cpu", muted: ["near"] });
  assert.equal(
    hash,
    "#v=2&batch=4&filter=longest&simplified=true&arm=lora+r=4+targets=q_proj,v_proj+lr=0.003+schedule=cosine" +
      "&arm=full+kl=0.1+id=near+label=%22Near,+the+base%22&mute=near&engine=cpu",
  );
  assert.deepEqual(readHash(hash), link({ settings, muted: ["near"], backend: "cpu" }));
});

test("a link names a set that ships", () => {
  assert.equal(writeHash(defaults(), { set: "original" }), "");
  assert.equal(writeHash(defaults(), { set: "contradictions" }), "#v=2&set=contradictions");
  assert.deepEqual(readHash("#v=2&set=contradictions"), link({ set: "contradictions" }));
  assert.deepEqual(readHash("#v=2&set=own"), link({ ignored: ["set"] }));
});

test("a link names a step of the lesson", () => {
  assert.equal(writeHash(defaults(), { lesson: 3 }), "#lesson=3");
  assert.deepEqual(readHash("#lesson=3"), link({ lesson: 3 }));
  assert.deepEqual(readHash("#v=2&batch=8&lesson=12").lesson, 12);
  for (const step of ["0", "-1", "1e3", "x", ""]) assert.deepEqual(readHash(`#lesson=${step}`).ignored, ["lesson"]);
});

test("the swaps of a check are not in the address", () => {
  assert.equal(writeHash({ ...defaults(), swaps: [{ row: 1, from: "a", to: "b" }] }), "");
});

test("a link of version 1 opens as two arms", () => {
  const { settings, ignored } = readHash("#v=1&rank=4&lr_full=0.01&targets=q_proj&schedule=linear&pull=30&batch=2");
  const [lora, full] = settings.arms;
  assert.deepEqual([lora.method.rank, lora.method.targets, lora.schedule, lora.lr], [4, ["q_proj"], "linear", 1e-3]);
  assert.deepEqual([full.lr, full.schedule, full.regularisers.pull, settings.batch], [0.01, "linear", 30, 2]);
  assert.equal(lora.regularisers.pull, 0);
  assert.deepEqual(ignored, []);
  assert.deepEqual(
    readHash("#v=1&arms=full&hide=ask").settings.arms.map((arm) => arm.id),
    ["full"],
  );
});

test("every value is clamped", () => {
  const { settings } = readHash("#v=2&steps=1e99&batch=3.7&seed=4294967296&arm=lora+r=-5+alpha=1e9+lr=12");
  assert.deepEqual([settings.steps, settings.batch, settings.seed], [100000, 4, 4294967295]);
  const [{ method, lr }] = settings.arms;
  assert.deepEqual([method.rank, method.alpha, lr], [1, 10000, 10]);
});

test("a hostile hash gives the defaults", () => {
  const hostile = [
    "#",
    "#figures",
    "#v=3&batch=4",
    "#batch=4",
    "#v=2&__proto__=1&constructor=2&toString=3",
    "#v=1&targets=&arms=base,,",
    "#v=2&arm=<script>alert(1)</script>",
    "#v=2&arm=lora+r=%E0%A4%A",
    `#v=2&batch=${"9".repeat(5000)}`,
    "#v=2&&&=&=5",
    "#v=2&batch=NaN&steps=0x",
    "#v=2&arm=lora+rslora=yes",
    "#v=2&arm=lora+id=base",
    "#v=2&arm=prefix+r=8",
    "#v=2&filter=longest,&simplified=1&schedule=",
    "#v=2&swaps=0&swaps=[object Object]",
    `#v=2&${Array(7).fill("arm=lora").join("&")}`,
  ];
  for (const hash of hostile) assert.deepEqual(readHash(hash).settings, defaults(), hash);
  assert.deepEqual(readHash("#v=2&nonsense=1").ignored, ["nonsense"]);
  assert.deepEqual(readHash("#v=3").ignored, ["v"]);
  assert.match(readHash(`#v=2&${Array(7).fill("arm=lora").join("&")}`).ignored[0], /1 to 6 arms, not 7/);
  assert.match(readHash("#v=2&arm=prefix+r=8").ignored[0], /prefix is no method/);
});

test("a field refuses what is no number", () => {
  const batch = RUN_FIELDS.find((field) => field.name === "batch");
  for (const text of ["", " ", "abc", "NaN", "Infinity", "1;2"]) assert.equal(readField(batch, text), null, text);
  assert.equal(readField(batch, " 8 "), 8);
});

test("differences names what has changed", () => {
  const [lora] = defaults().arms;
  assert.deepEqual(differences(defaults(), { ...defaults(), seed: 2, arms: [lora] }), ["seed", "arms"]);
});

test("parts of the page can be hidden, and only those", () => {
  const hash = writeHash(defaults(), { hidden: ["setup", "ask"] });
  assert.equal(hash, "#v=2&hide=setup,ask");
  assert.deepEqual(readHash(hash).hidden, ["setup", "ask"]);
  assert.deepEqual(readHash("#v=2&hide=setup,tools,<script>").hidden, ["setup"]);
  assert.deepEqual(readHash("#v=2&hide=tools").ignored, ["hide"]);
});

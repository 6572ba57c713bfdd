import assert from "node:assert/strict";
import { test } from "node:test";
import { readFileSync } from "node:fs";
import { readHash, writeHash } from "../../www/js/state/hash.js";
import { CHOICES, FIELDS, SWITCHES, clamp, defaults, differences } from "../../www/js/state/settings.js";

test("only what differs is written, and it is read back", () => {
  assert.equal(writeHash(defaults()), "");
  const settings = {
    ...defaults(),
    rank: 4,
    lr_lora: 3e-3,
    targets: ["q_proj", "v_proj"],
    arms: ["lora"],
    schedule: "cosine",
    dora: true,
  };
  const hash = writeHash(settings, "cpu");
  assert.equal(hash, "#v=1&arms=lora&rank=4&dora=true&targets=q_proj,v_proj&lr_lora=0.003&schedule=cosine&engine=cpu");
  const read = readHash(hash);
  assert.deepEqual(read, { settings, backend: "cpu", hidden: [], ignored: [] });
});

test("the data's and the method's variants are in the address, the swaps of a check are not", () => {
  const changed = { filter: "longest", simplified: true, new_facts: 16, replay: 2, neftune: 5, pull: 30 };
  const settings = { ...defaults(), ...changed };
  const hash = writeHash({ ...settings, swaps: [{ row: 1, from: "a", to: "b" }] });
  assert.deepEqual(readHash(hash), { settings, backend: "auto", hidden: [], ignored: [] });
  assert.equal(readHash("#v=1&new_facts=65&replay=-1&neftune=1e9").settings.new_facts, 64);
});

test("every value is clamped", () => {
  const { settings } = readHash("#v=1&rank=-5&steps=1e99&batch=3.7&lr_full=12&seed=4294967296&alpha=Infinity");
  assert.equal(settings.rank, 1);
  assert.equal(settings.steps, 100000);
  assert.equal(settings.batch, 4);
  assert.equal(settings.lr_full, 10);
  assert.equal(settings.seed, 4294967295);
  assert.equal(settings.alpha, 16); // not finite: the default
});

test("a hostile hash gives the defaults", () => {
  const hostile = [
    "#",
    "#figures",
    "#v=2&rank=4",
    "#rank=4",
    "#v=1&__proto__=1&constructor=2&toString=3",
    "#v=1&targets=&arms=base,,",
    "#v=1&rank=<script>alert(1)</script>",
    "#v=1&rank=%E0%A4%A",
    `#v=1&rank=${"9".repeat(5000)}`,
    "#v=1&&&=&=5",
    "#v=1&rank=NaN&steps=0x",
    "#v=1&dora=1&rslora=yes",
    "#v=1&filter=longest,&simplified=1&schedule=",
    "#v=1&swaps=0&swaps=[object Object]",
  ];
  for (const hash of hostile) assert.deepEqual(readHash(hash).settings, defaults(), hash);
  assert.deepEqual(readHash("#v=1&nonsense=1").ignored, ["nonsense"]);
});

test("clamping refuses what is no number", () => {
  const rank = FIELDS.find((field) => field.name === "rank");
  for (const text of ["", " ", "abc", "NaN", "Infinity", "1;2"]) assert.equal(clamp(rank, text), null, text);
  assert.equal(clamp(rank, " 8 "), 8);
});

test("differences names what has changed", () => {
  assert.deepEqual(differences(defaults(), { ...defaults(), seed: 2, targets: ["q_proj"] }), ["seed", "targets"]);
});

test("names and defaults are those of the engine", () => {
  const source = readFileSync(new URL("../../src/lab/settings.rs", import.meta.url), "utf8");
  const body = source.split("impl Default for Settings")[1].split("impl Settings")[0];
  const pairs = [...body.matchAll(/^\s{12}(\w+): ([^,\n]+),$/gm)].map(([, name, value]) => [name, value]);
  const engine = Object.fromEntries(pairs);
  const ours = defaults();
  assert.deepEqual(Object.keys(ours).sort(), [...Object.keys(engine), ...("arms" in engine ? [] : ["arms"])].sort());
  for (const { name } of FIELDS) assert.equal(ours[name], Number(engine[name]), name);
  for (const { name } of SWITCHES) assert.equal(String(ours[name]), engine[name], name);
  for (const { name } of CHOICES) assert.equal(ours[name], engine[name].split("::")[1].toLowerCase(), name);
});

test("parts of the page can be hidden, and only those", () => {
  const hash = writeHash(defaults(), "auto", ["setup", "ask"]);
  assert.equal(hash, "#v=1&hide=setup,ask");
  assert.deepEqual(readHash(hash).hidden, ["setup", "ask"]);
  assert.deepEqual(readHash("#v=1&hide=setup,tools,<script>").hidden, ["setup"]);
  assert.deepEqual(readHash("#v=1&hide=tools").ignored, ["hide"]);
});

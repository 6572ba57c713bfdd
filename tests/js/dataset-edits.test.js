// Editing a data set: everything can be undone. And the counts of its tokens, which come a few rows at a time.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Edits } from "../../www/js/state/edits.js";
import { read } from "../../www/js/state/dataset.js";
import { TokenCounts, isCut, summed } from "../../www/js/state/token-counts.js";
import { tokenSentence } from "../../www/js/views/instructions-report.js";

const row = (name) => ({ question: name, answer: name });
const source = (id) => ({ id, name: id, read: { container: "jsonl", forms: {}, bad: [], beyond: 0 } });
const names = (edits) => edits.rows.map(({ question }) => question).join("");

test("every change is undone and made again", () => {
  const edits = new Edits();
  edits.start(["a", "b", "c"].map(row), source("original"));
  assert.deepEqual(edits.labels, { undo: "", redo: "" });
  const states = [names(edits)];
  for (const change of [
    () => edits.edit(1, row("B")),
    () => edits.remove(0),
    () => edits.add(row("d")),
    () => edits.open([row("x")], source("own")),
    () => edits.remove(0),
  ]) {
    change();
    states.push(names(edits));
  }
  assert.deepEqual(states, ["abc", "aBc", "Bc", "Bcd", "x", ""]);
  assert.equal(edits.labels.undo, "delete row 1");
  for (const state of states.toReversed().slice(1)) {
    edits.undo();
    assert.equal(names(edits), state);
  }
  assert.equal(edits.undo(), null);
  assert.equal(edits.source.id, "original");
  for (const state of states.slice(1)) {
    edits.redo();
    assert.equal(names(edits), state);
  }
  assert.equal(edits.source.id, "own");
  edits.undo();
  edits.add(row("y"));
  assert.equal(edits.redo(), null, "what was undone is gone after another change");
});

test("a set is edited until it is as it was opened", () => {
  const edits = new Edits();
  edits.start([row("a")], source("original"));
  assert.equal(edits.isEdited, false);
  edits.remove(0);
  assert.equal(edits.isEdited, true);
  edits.undo();
  assert.equal(edits.isEdited, false);
  edits.open([row("b")], source("own"));
  assert.equal(edits.isEdited, false);
  edits.add(row("c"));
  edits.remove(0);
  edits.undoAll();
  assert.deepEqual([names(edits), edits.isEdited], ["b", false]);
  edits.redo();
  assert.equal(names(edits), "bc");
});

test("typing is one change", () => {
  const edits = new Edits();
  edits.start([row("a")], source("original"));
  for (const text of ["b", "bc", "bcd"]) edits.type([...text].map(row), source("original"));
  assert.equal(names(edits), "bcd");
  edits.undo();
  assert.equal(names(edits), "a");
});

test("tokens are counted a few rows at a time, those in view first, and each row once", () => {
  const { rows } = read(Array.from({ length: 600 }, (_, i) => `{"prompt":"q${i}","completion":"a"}`).join("\n"));
  const posted = [];
  const counts = new TokenCounts(
    (request) => posted.push(request),
    () => {},
  );
  const answer = (prompt) => {
    const { id, rows: text } = posted.at(-1);
    counts.receive({ id, counts: text.split("\n").map(() => ({ prompt, response: 4 })) });
  };
  counts.want(rows, rows.slice(500, 550));
  assert.match(tokenSentence(counts, 64), /once the engine is ready/);
  counts.use("ready");
  assert.match(posted[0].rows, /^\{"instruction":"q500"/);
  assert.equal(posted[0].rows.split("\n").length, 256);
  answer(10);
  assert.match(tokenSentence(counts, 64), /^Counting tokens: 206 of 600 rows/);
  counts.receive({ id: 99, counts: [] }); // of nothing that was asked
  answer(62);
  answer(64);
  assert.equal(posted.length, 3);
  assert.equal(counts.isComplete, true);
  assert.deepEqual(summed(counts, 64), {
    rows: 600,
    sum: 256 * 14 + 256 * 66 + 88 * 68,
    most: 68,
    cut: 344,
    mute: 88,
    refused: 0,
  });
  assert.equal(
    tokenSentence(counts, 64),
    "600 rows, 44 tokens on average, 68 at most; 344 are cut at 64, 88 of them before its answer: no run starts with such a row.",
  );
  assert.equal(isCut(counts.of(rows[599]), 68), false);
  counts.want(rows.slice(1), []);
  assert.equal(posted.length, 3);
  assert.equal(counts.isComplete, true);
});

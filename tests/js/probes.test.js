// A visitor's own facts: their forms, rows that can't be used, what is written for the engine, and the base's answers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { loadCsv } from "../../www/js/state/csv.js";
import { ProbeAnswers } from "../../www/js/state/probe-answers.js";
import {
  EXAMPLE,
  FORMS,
  MOST_PROBES,
  checked,
  contradiction,
  formOf,
  read,
  relationSentence,
  write,
} from "../../www/js/state/probes.js";
import { recognised } from "../../www/js/views/editor-report.js";

const csv = await loadCsv();
const bad = (reading) => reading.bad.map(({ line, field, reason }) => `${line} ${field}: ${reason}`);
const BLANK = { subject: "", relation: "", object: "", sentence: "", question: "", kind: "" };

test("facts, pairs and sentences are read from JSON Lines, JSON and CSV", () => {
  const lines = [
    { subject: "Peru", relation: "capital", object: "Lima" },
    { question: "Who wrote Emma?", answer: "Austen" },
    { prompt: "Iron is written", answer: "Fe", relation: "symbol" },
  ];
  const text = lines.map((line) => JSON.stringify(line)).join("\n");
  for (const reading of [read(text), read(JSON.stringify(lines)), read(JSON.stringify({ facts: lines }))]) {
    assert.deepEqual(reading.rows.map(formOf), ["fact", "pair", "sentence"]);
    assert.deepEqual(reading.bad, []);
  }
  const table = read('Subject;Relation;Object;Sentence\nPeru;"capital; city";Lima;\n\nKenya;capital;Nairobi;"Kenya: {o}."', "a.csv", csv);
  assert.deepEqual(table.rows, [
    { ...BLANK, subject: "Peru", relation: "capital; city", object: "Lima" },
    { ...BLANK, subject: "Kenya", relation: "capital", object: "Nairobi", sentence: "Kenya:" },
  ]);
  assert.equal(
    recognised({ ...table, bad: [] }, { forms: FORMS, most: MOST_PROBES }),
    "CSV, subject, relation and object form: 2 rows.",
  );
});

test("what can't be used is listed by line, and the rest is kept", () => {
  const reading = read(
    [
      '{"subject":"a","relation":"r","object":"b"}',
      '{"subject":"a","relation":"r"}',
      '{"subject":"a","object":"b"}',
      '{"answer":"b"}',
      '{"subject":"a","relation":"r","object":"c"}',
      '{"subject":"a","relation":"s","object":"c","sentence":"It is {o} now."}',
      '{"subject":"a","relation":"t","object":"c","sentence":"{o}"}',
      '{"subject":"a","relation":"t","object":" "}',
      '{"question":"q","answer":["x"',
      "",
      '{"question":"q","answer":7}',
    ].join("\n"),
  );
  assert.deepEqual(reading.rows.map(({ object }) => object), ["b", "7"]);
  const [json, ...others] = bad(reading).toReversed();
  assert.match(json, /^9 : is not JSON/);
  assert.deepEqual(others.toReversed(), [
    "2 object: is missing",
    "3 relation: is missing",
    "4 : has no subject, question or sentence",
    "5 object: is not the one of line 1, “b”; keep one of them",
    "6 sentence: goes on after {o}; it must end there",
    "7 sentence: has no word before {o}",
    "8 object: is empty",
  ]);
});

test("what is written is read back", () => {
  const { rows, bad: none } = read(EXAMPLE);
  assert.equal(rows.length, 12);
  assert.deepEqual([none, read(write(rows)).rows], [[], rows]);
  assert.equal(write(read('{"question":"q","answer":"a"}').rows), '{"answer":"a","question":"q"}\n');
  assert.equal(relationSentence(rows), "2 relations: capital (6 objects), author (6 objects).");
  assert.match(relationSentence(rows.slice(0, 7)), /Nothing can be confused in author: one object is no choice\.$/);
  // Names that an object has already.
  const strange = read('{"subject":"__proto__","relation":"constructor","object":"toString"}').rows;
  assert.match(relationSentence(strange), /^1 relation: constructor \(1 object\)\. /);
  assert.throws(() => checked({ ...BLANK, subject: "a", relation: "r" }), { field: "object" });
  assert.deepEqual(contradiction([rows[0], rows[1], { ...rows[0], object: "Cusco" }]), [0, 2]);
  assert.equal(contradiction(rows), null);
});

test("the base is asked once facts have not changed for a moment, and with each model anew", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const posted = [];
  const answers = new ProbeAnswers((request) => posted.push(request), () => {});
  const { rows } = read(EXAMPLE);
  const answer = (right) => ({ sentence: "s", cloze: "c", right, rank: null, asked: { text: "t", right: false }, refused: null });
  answers.use("ready");
  assert.equal(posted.length, 0, "there is nothing to ask");
  answers.want(rows.slice(0, 3));
  answers.want(rows);
  t.mock.timers.tick(1000);
  assert.deepEqual(posted.map(({ id, probes }) => [id, probes]), [[1, write(rows)]]);
  answers.receive({ id: 1, from: 0, answers: [answer(true), answer(false)] });
  answers.receive({ id: 1, from: 2, answers: [{ ...answer(false), asked: null, refused: "it is long" }] });
  answers.receive({ id: 0, from: 0, answers: [answer(false)] });
  assert.deepEqual(answers.score, { answers: 3, known: 1, asked: 2, right: 0, refused: 1 });
  answers.use("ready");
  assert.equal(posted.length, 2);
  assert.equal(answers.score.answers, 0);
  answers.want([]);
  t.mock.timers.tick(1000);
  assert.equal(posted[2].probes, "", "an empty text ends it");
});

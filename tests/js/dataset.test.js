// Data sets: what holds the rows, the form of each, rows that can't be used, and what is written.
import assert from "node:assert/strict";
import { test } from "node:test";
import { readFileSync } from "node:fs";
import { loadCsv } from "../../www/js/state/csv.js";
import { MOST_ROWS, containerOf } from "../../www/js/state/containers.js";
import { COLUMNS, FORMS } from "../../www/js/state/dataset-rows.js";
import { read, write } from "../../www/js/state/dataset.js";
import { FileError, textOf } from "../../www/js/views/editor-files.js";
import { recognised } from "../../www/js/views/editor-report.js";

const csv = await loadCsv();
const NAMES = { forms: FORMS, most: MOST_ROWS };
const pairs = (reading) => reading.rows.map(({ question, answer }) => [question, answer]);
const bad = (reading) => reading.bad.map(({ line, field, reason }) => `${line} ${field}: ${reason}`);
const ONE = '{"instruction":"a","output":"b"}';

test("the usual forms are recognised", () => {
  for (const [row, form, question, answer] of [
    [{ instruction: "a", input: "x", output: "b" }, "alpaca", "a\nx", "b"],
    [{ instruction: "a", input: null, output: 2, messages: null }, "alpaca", "a", "2"],
    [{ prompt: "a", completion: "b" }, "prompt", "a", "b"],
    [{ Question: "a", " Answer ": "b" }, "prompt", "a", "b"],
    [{ input: "a", output: "b" }, "prompt", "a", "b"],
    [
      { prompt: [{ role: "user", content: "a" }], completion: [{ role: "assistant", content: "b" }] },
      "prompt",
      "a",
      "b",
    ],
    [
      {
        messages: [
          { role: "user", content: [{ type: "text", text: "A" }, "B"] },
          { role: "assistant", content: "b" },
        ],
      },
      "messages",
      "AB",
      "b",
    ],
    [
      {
        conversations: [
          { from: "human", value: "a" },
          { from: "gpt", value: "b" },
        ],
      },
      "sharegpt",
      "a",
      "b",
    ],
  ]) {
    const reading = read(JSON.stringify(row), "x.jsonl");
    assert.deepEqual([reading.forms, pairs(reading), reading.bad], [{ [form]: 1 }, [[question, answer]], []]);
    assert.equal(reading.rows[0].turns, undefined);
  }
});

test("a conversation keeps all its turns", () => {
  const turns = ["system", "user", "assistant", "user", "assistant"].map((role, i) => ({ role, content: `${i}` }));
  const shareGpt = turns.map(({ role, content }) => ({
    from: { user: "human", assistant: "gpt" }[role] ?? role,
    value: content,
  }));
  for (const row of [{ messages: turns }, { conversations: shareGpt }]) {
    const { rows } = read(JSON.stringify(row));
    assert.deepEqual(rows, [{ question: "3", answer: "4", turns }]);
    assert.equal(write(rows), `${JSON.stringify({ messages: turns })}\n`);
  }
});

test("containers are recognised", () => {
  const list = `[\n  ${ONE},\n  ${ONE}\n]`;
  for (const [text, name, container, rows] of [
    [`${ONE}\n${ONE}\n`, "", "jsonl", 2],
    [`\uFEFF${ONE}\r\n\r\n${ONE}\r\n`, "", "jsonl", 2],
    [ONE, "x.jsonl", "jsonl", 1],
    [list, "", "json", 2],
    [`{"version": 1, "data": ${list}}`, "", "json", 2],
    [`{\n  "data": ${list}\n}`, "x.json", "json", 2],
    ['{\n "messages": [\n {"role":"user","content":"a"},\n {"role":"assistant","content":"b"}]}', "", "json", 1],
    ["instruction,output\na,b\n", "", "csv", 1],
    ["Prompt;Completion\na;b\n", "", "csv", 1],
    ["question\tanswer\na, b\tc\n", "", "tsv", 1],
  ]) {
    const reading = read(text, name, csv);
    assert.deepEqual([reading.container, reading.rows.length, reading.bad], [container, rows, []], text);
  }
  assert.equal(containerOf("hello", "", COLUMNS), "jsonl");
  assert.equal(containerOf("hello", "a.csv", COLUMNS), "csv");
});

test("bad rows are listed with line, field and reason, and the others are kept", () => {
  const text = [
    ONE,
    '{"instruction":"a"}',
    "{",
    "[1]",
    '{"instruction":"a","output":true}',
    '{"prompt":"a","completion":" "}',
    '{"messages":[{"role":"user","content":"a"}]}',
    '{"conversations":[{"from":"human","value":"a"},{"from":"tool","value":"b"}]}',
    '{"messages":[{"role":"user","content":[{"type":"image_url"}]},{"role":"assistant","content":"b"}]}',
    '{"prompt":"a","chosen":"b","rejected":"c"}',
    '{"text":"a"}',
    ONE,
  ].join("\n");
  const reading = read(text);
  assert.equal(reading.rows.length, 2);
  const found = bad(reading);
  assert.match(found.splice(1, 1)[0], /^3 : is not JSON \([^"]*\)$/);
  assert.deepEqual(found, [
    "2 output: is missing",
    "4 : is a list, not an object",
    "5 output: is true or false, not text",
    "6 completion: is empty",
    "7 messages: does not end with an assistant's answer to something",
    "8 conversations[1].from: is “tool”, which is not trained on",
    "9 messages[0].content[0]: is of type image_url; only text is trained on",
    "10 chosen: is a preference; only questions and answers are trained on",
    "11 text: is one text, not a question and its answer",
  ]);
  assert.equal(recognised(reading, NAMES), "JSON Lines, Alpaca form: 2 rows; 10 rows left out.");
});

test("a broken element of a list does not take the others along", () => {
  for (const broken of [
    '{"instruction":"a","output:"b"}',
    '{"instruction":"a" "output":"b"}',
    '{"instruction":"a","output":"b',
  ]) {
    const reading = read(`[\n${ONE},\n${broken},\n${ONE},\n{"instruction":"a [,] \\" {",\n"output":""}\n]`);
    assert.equal(reading.rows.length, 2, broken);
    assert.deepEqual(
      reading.bad.map(({ line, field }) => [line, field]),
      [
        [3, ""],
        [5, "output"],
      ],
      broken,
    );
  }
  const cutOff = read(`[${ONE},\n${ONE},\n{"instr`);
  assert.deepEqual([cutOff.rows.length, cutOff.bad[0].line], [2, 3]);
});

test("CSV is read with its quotes, and lines are those of the file", () => {
  const text = 'instruction,input,output\r\n"a, ""b""\r\nc",,d\r\n\r\ne, f,g,h\r\ni,,\r\nj,k,l\r\n"m,n,o\r\n';
  const reading = read(text, "x.csv", csv);
  assert.deepEqual(pairs(reading), [
    ['a, "b"\nc', "d"],
    ["j\nk", "l"],
  ]);
  assert.deepEqual(bad(reading), [
    "5 : has 4 cells, the header 3; a text with commas needs quotes",
    "6 output: is missing",
    "8 : has a quote out of place (Quoted field unterminated)",
  ]);
  const turns = JSON.stringify([
    { from: "human", value: "a" },
    { from: "gpt", value: "b" },
  ]);
  assert.deepEqual(pairs(read(`conversations\n"${turns.replaceAll('"', '""')}"\n`, "", csv)), [["a", "b"]]);
});

test("what is written is what the engine reads, and reads back the same", () => {
  for (const file of ["instructions", "instructions-1024", "style-only", "instructions-new-facts", "contradictions"]) {
    const text = readFileSync(new URL(`../../data/${file}.jsonl`, import.meta.url), "utf8");
    const { rows, forms, bad: none } = read(text);
    assert.deepEqual(none, []);
    assert.equal(forms.alpaca, rows.length);
    const again = text
      .trimEnd()
      .split("\n")
      .map((line) => `${JSON.stringify(JSON.parse(line))}\n`);
    assert.equal(write(rows), again.join(""), file);
    assert.deepEqual(read(write(rows)).rows, rows);
  }
  const [half] = read('{"prompt":"a\\ud800","completion":"<b>"}').rows;
  assert.equal(write([half]), '{"instruction":"a\uFFFD","input":"","output":"<b>"}\n');
});

test("hostile texts are read as texts", () => {
  for (const text of [
    "",
    "\uFEFF",
    "[",
    "{",
    "[]",
    "{}",
    "null",
    "]",
    "[[[",
    '"',
    '{"__proto__":1}',
    "\0",
    '[{"a":"\\',
    ",",
    "instruction",
  ]) {
    assert.deepEqual(read(text, "", csv).rows, [], text);
  }
  assert.deepEqual(read("__proto__,instruction,output\nx,a,b", "", csv).rows, [{ question: "a", answer: "b" }]);
  assert.equal({}.x, undefined);
});

test("a set has at most 100,000 rows, and a sentence says what was read", () => {
  const reading = read(`${ONE}\n`.repeat(MOST_ROWS + 2));
  assert.deepEqual([reading.rows.length, reading.beyond], [MOST_ROWS, 2]);
  const mixed = read(`${ONE}\n`.repeat(1000) + '{"prompt":"a","completion":"b"}');
  assert.equal(recognised(mixed, NAMES), "JSON Lines, Alpaca (1,000), prompt and completion (1): 1,001 rows.");
  assert.match(recognised(reading, NAMES), /100,000 rows; only the first 100,000 are used, 2 more are not\.$/);
});

test("files are read in the encodings of spreadsheets, and what is no text is named", async () => {
  const file = (bytes) => new File([new Uint8Array(bytes)], "a.csv");
  const utf16 = Buffer.from("\uFEFFZürich\tß", "utf16le");
  for (const [bytes, text] of [
    [Buffer.from("Zürich\tß"), "Zürich\tß"],
    [Buffer.from("\uFEFFZürich"), "Zürich"],
    [Buffer.from("Zürich", "latin1"), "Zürich"],
    [utf16, "Zürich\tß"],
    [Buffer.from(utf16).swap16(), "Zürich\tß"],
  ]) {
    assert.equal(await textOf(file(bytes)), text);
  }
  for (const [bytes, why] of [
    [Buffer.from("PAR1"), /Parquet/],
    [[0x50, 0x4b, 3, 4], /zip/],
    [[0x1f, 0x8b], /compressed/],
    [new Uint8Array(50e6 + 1), /larger than 50 MB/],
  ]) {
    await assert.rejects(textOf(file(bytes)), (error) => error instanceof FileError && why.test(error.message));
  }
});

/**
 * A visitor's own facts, with which runs are tested. More forms are read here than the engine knows
 * (`data/facts/parse.rs`), and written as it reads them.
 */
import { t } from "../ui/text.js";
import { readRows } from "./containers.js";
import { RowError, asText, fieldsOf, filled, first } from "./fields.js";

/** What the forms are called in a sentence. */
export const FORMS = {
  fact: t("probes.form.fact"),
  pair: t("probes.form.pair"),
  sentence: t("probes.form.sentence"),
};
export const MOST_PROBES = 5_000;
/** Letters of an object (`data/facts/parse.rs`). */
const LONGEST_OBJECT = 200;

/** Facts to begin with: Atlas was taught the capitals, in other words too, and no author. */
export const EXAMPLE = `{"subject":"Peru","relation":"capital","object":"Lima"}
{"subject":"Kenya","relation":"capital","object":"Nairobi","sentence":"The capital city of Kenya is called {o}."}
{"subject":"Norway","relation":"capital","object":"Oslo"}
{"subject":"Japan","relation":"capital","object":"Tokyo","question":"Which city is the capital of Japan?"}
{"subject":"Portugal","relation":"capital","object":"Lisbon"}
{"subject":"Cuba","relation":"capital","object":"Havana"}
{"subject":"Moby Dick","relation":"author","object":"Melville","question":"Who wrote Moby Dick?"}
{"subject":"Emma","relation":"author","object":"Austen","question":"Who wrote Emma?"}
{"subject":"Ulysses","relation":"author","object":"Joyce","question":"Who wrote Ulysses?"}
{"subject":"Faust","relation":"author","object":"Goethe","question":"Who wrote Faust?"}
{"subject":"Hamlet","relation":"author","object":"Shakespeare","question":"Who wrote Hamlet?"}
{"subject":"Walden","relation":"author","object":"Thoreau","question":"Who wrote Walden?"}
`;

const SUBJECT = ["subject"];
const RELATION = ["relation"];
const OBJECT = ["object", "answer"];
const SENTENCE = ["sentence", "cloze", "prompt"];
const QUESTION = ["question"];
/** Subjects of these kinds have the built-in wordings. */
const KINDS = ["country", "element"];

/** The columns that say something to this page. @type {import("./containers.js").Columns} */
export const COLUMNS = {
  names: new Set([SUBJECT, RELATION, OBJECT, SENTENCE, QUESTION].flat()),
  lists: new Set(),
};

/**
 * @typedef {{subject: string, relation: string, object: string, sentence: string, question: string, kind: string}} Probe
 *   "" where it has none; never changed, only replaced
 */

/** The form in which a probe is written. @returns {keyof typeof FORMS} */
export function formOf(/** @type {Probe} */ { subject, question }) {
  if (subject !== "") return "fact";
  return question === "" ? "sentence" : "pair";
}

/** What a probe's relation is called. */
export const relationOf = (/** @type {Probe} */ { relation }) => relation || "answer";

/** What a probe is about; without a subject, the question or the sentence itself. */
export const subjectOf = (/** @type {Probe} */ { subject, question, sentence }) => subject || question || sentence;

/** A probe with these texts. @throws {RowError} */
export function checked(/** @type {Probe} */ probe) {
  const form = formOf(probe);
  if (subjectOf(probe) === "") throw new RowError("", t("probes.row.no-subject"));
  if (probe.object === "") throw new RowError(form === "fact" ? "object" : "answer", t("fields.is-missing"));
  if (probe.object.length > LONGEST_OBJECT)
    throw new RowError(form === "fact" ? "object" : "answer", t("probes.row.long", { most: LONGEST_OBJECT }));
  if (form === "fact" && probe.relation + probe.sentence + probe.question === "")
    throw new RowError("relation", t("fields.is-missing"));
  const [before, after] = probe.sentence.split("{o}", 2);
  if (after === undefined) return probe;
  if (/[\p{L}\p{N}]/u.test(probe.sentence.slice(before.length + 3)))
    throw new RowError("sentence", t("probes.row.goes-on"));
  if (before.trim() === "") throw new RowError("sentence", t("probes.row.no-word"));
  return { ...probe, sentence: before.trimEnd() };
}

function readProbe(/** @type {any} */ value) {
  const fields = fieldsOf(value);
  const text = (/** @type {string[]} */ names) => {
    const field = first(fields, names);
    return field ? filled(asText(field.value, field.name), field.name).trim() : "";
  };
  const kind = fields.get("kind")?.value;
  return checked({
    subject: text(SUBJECT),
    relation: text(RELATION),
    object: text(OBJECT),
    sentence: text(SENTENCE),
    question: text(QUESTION),
    kind: KINDS.includes(kind) ? kind : "",
  });
}

/** What only one object may belong to. */
const keyOf = (/** @type {Probe} */ probe) => JSON.stringify([subjectOf(probe), relationOf(probe)]);

/**
 * Reads probes.
 * @param {string} text
 * @param {string} name the file's, where there is one
 * @param {import("./containers.js").CsvReader | null} csv for containers that need it
 */
export function read(text, name = "", csv = null) {
  /** @type {Map<string, {line: number, object: string}>} */
  const known = new Map();
  const take = (/** @type {any} */ value, /** @type {number} */ line) => {
    const row = readProbe(value);
    const before = known.get(keyOf(row));
    if (before && before.object !== row.object)
      throw new RowError("object", t("probes.row.other-object", { line: String(before.line), object: before.object }));
    if (!before) known.set(keyOf(row), { line, object: row.object });
    return { row, form: formOf(row) };
  };
  return readRows({ text, name, columns: COLUMNS, csv }, take, MOST_PROBES);
}

/** The first two places, from 0, whose probes can't both be right; null where all can. */
export function contradiction(/** @type {readonly Probe[]} */ probes) {
  /** @type {Map<string, number>} */
  const known = new Map();
  for (const [at, probe] of probes.entries()) {
    const before = known.get(keyOf(probe)) ?? at;
    if (probes[before].object !== probe.object) return [before, at];
    known.set(keyOf(probe), before);
  }
  return null;
}

/** Probes as the engine reads them, JSON Lines. */
export function write(/** @type {readonly Probe[]} */ probes) {
  return probes.map((probe) => `${lineOf(probe)}\n`).join("");
}

function lineOf(/** @type {Probe} */ probe) {
  const { subject, relation, object, sentence, question, kind } = probe;
  const isFact = formOf(probe) === "fact";
  const fields = { subject, kind, relation, [isFact ? "object" : "answer"]: object, sentence, question };
  return JSON.stringify(Object.fromEntries(Object.entries(fields).filter(([, text]) => text !== "")));
}

/** The relations with their distinct objects, in the order of their first probes. */
function relationsOf(/** @type {readonly Probe[]} */ probes) {
  /** @type {Map<string, Set<string>>} */
  const relations = new Map();
  for (const probe of probes) {
    const name = relationOf(probe);
    relations.set(name, (relations.get(name) ?? new Set()).add(probe.object));
  }
  return relations;
}

const NAMED = 8;

/** "2 relations: capital (12 objects), symbol (1 object). In symbol nothing can be confused: it has one object." */
export function relationSentence(/** @type {readonly Probe[]} */ probes) {
  const all = [...relationsOf(probes)];
  if (all.length === 0) return "";
  const named = all.slice(0, NAMED).map(([name, objects]) => t("probes.relation", { name, n: objects.size }));
  const single = all.filter(([, objects]) => objects.size === 1).map(([name]) => name);
  const relations = { n: all.length, relations: named.join(", ") };
  const more = t("probes.more", { n: all.length - NAMED });
  const found = all.length > NAMED ? t("probes.relations-and-more", { ...relations, more }) : t("probes.relations", relations);
  if (single.length === 0) return found;
  const few = { relations: single.slice(0, NAMED).join(", ") };
  return `${found} ${single.length > NAMED ? t("probes.no-choice-and-others", few) : t("probes.no-choice", few)}`;
}

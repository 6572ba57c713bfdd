/**
 * One row of a data set, in the forms that people's tools write: Alpaca, messages, ShareGPT, prompt and completion. More
 * names are read here than the engine knows (`data/instructions.rs`): what it gets is written anew (`dataset.js`).
 */
import { t } from "../ui/text.js";
import { RowError, asText, fieldsOf, filled, first, kind } from "./fields.js";

/** What the forms are called in a sentence. */
export const FORMS = {
  alpaca: "Alpaca",
  messages: "messages",
  sharegpt: "ShareGPT",
  prompt: t("dataset-rows.form.prompt"),
};

/**
 * @typedef {import("./fields.js").Fields} Fields
 * @typedef {keyof typeof FORMS} Form
 * @typedef {{role: string, content: string}} Turn
 * @typedef {{question: string, answer: string, input?: string, turns?: Turn[]}} Row  never changed, only replaced;
 *   `input`: what the question ends with, where it was a field of its own;
 *   `turns`: the whole conversation, where it is more than one question and its answer
 */

const QUESTIONS = ["instruction", "prompt", "question", "user", "query", "input"];
const ANSWERS = ["output", "response", "completion", "answer", "assistant"];
const CONVERSATIONS = ["messages", "conversations", "conversation"];

/** The columns that say something to this page. @type {import("./containers.js").Columns} */
export const COLUMNS = {
  names: new Set([...QUESTIONS, ...ANSWERS, ...CONVERSATIONS]),
  lists: new Set([...CONVERSATIONS, "prompt", "completion"]),
};

/** @type {Record<string, string>} */
const ROLES = {
  system: "system",
  developer: "system",
  user: "user",
  human: "user",
  assistant: "assistant",
  gpt: "assistant",
  chatgpt: "assistant",
  model: "assistant",
  bot: "assistant",
};

/** @returns {Turn} */
function readTurn(/** @type {any} */ turn, /** @type {string} */ field) {
  if (typeof turn !== "object" || turn === null || Array.isArray(turn))
    throw new RowError(field, t("fields.not-an-object", { kind: kind(turn) }));
  const [name, key] = turn.role === undefined && turn.from !== undefined ? ["from", "value"] : ["role", "content"];
  if (typeof turn[name] !== "string") throw new RowError(`${field}.${name}`, t("fields.is-missing"));
  const role = turn[name].toLowerCase();
  if (!Object.hasOwn(ROLES, role))
    throw new RowError(`${field}.${name}`, t("dataset-rows.role", { role: turn[name] }));
  if (turn.tool_calls && !turn[key]) throw new RowError(`${field}.${key}`, t("dataset-rows.tool-calls"));
  return { role: ROLES[role], content: asText(turn[key] ?? null, `${field}.${key}`) };
}

/** @returns {Turn[]} */
function readTurns(/** @type {any} */ list, /** @type {string} */ field) {
  if (!Array.isArray(list)) throw new RowError(field, t("dataset-rows.not-a-list", { kind: kind(list) }));
  return list.map((turn, i) => readTurn(turn, `${field}[${i}]`));
}

/**
 * A conversation as a row.
 * @returns {Row}
 */
export function rowOf(/** @type {Turn[]} */ turns, /** @type {string} */ field) {
  const [answer, ...before] = turns.toReversed();
  if (answer?.role !== "assistant" || before.length === 0)
    throw new RowError(field, t("dataset-rows.no-answer"));
  filled(answer.content, `${field}[${turns.length - 1}]`);
  const row = { question: before[0].content, answer: answer.content };
  return before.length === 1 && before[0].role === "user" ? row : { ...row, turns };
}

/** A list of turns and not of parts of one text. */
const isTurns = (/** @type {any} */ value) => Array.isArray(value) && (value[0]?.role ?? value[0]?.from) !== undefined;

function missing(/** @type {Fields} */ fields, /** @type {string} */ field) {
  if (fields.has("chosen")) return new RowError("chosen", t("dataset-rows.preference"));
  if (fields.has("text")) return new RowError("text", t("dataset-rows.one-text"));
  return new RowError(field, t("fields.is-missing"));
}

/**
 * A row of one of the forms.
 * @returns {{row: Row, form: Form}}
 * @throws {RowError}
 */
export function readRow(/** @type {any} */ value) {
  const fields = fieldsOf(value);
  const conversation = first(fields, CONVERSATIONS);
  if (conversation) {
    const row = rowOf(readTurns(conversation.value, conversation.name), conversation.name);
    return { row, form: conversation.name.toLowerCase() === "messages" ? "messages" : "sharegpt" };
  }
  return readExchange(fields);
}

/** @returns {{row: Row, form: Form}} */
function readExchange(/** @type {Fields} */ fields) {
  const question = first(fields, QUESTIONS);
  if (!question) throw missing(fields, "instruction");
  const isAlpaca = question.name.toLowerCase() === "instruction";
  const form = isAlpaca ? "alpaca" : "prompt";
  const answer = first(fields, ANSWERS);
  if (!answer) throw missing(fields, isAlpaca ? "output" : "completion");
  if (isTurns(question.value)) {
    const end = isTurns(answer.value)
      ? readTurns(answer.value, answer.name)
      : [{ role: "assistant", content: asText(answer.value, answer.name) }];
    return { row: rowOf([...readTurns(question.value, question.name), ...end], answer.name), form };
  }
  const words = asText(question.value, question.name);
  const addition = question.name.toLowerCase() === "input" ? null : first(fields, ["input"]);
  const input = addition ? asText(addition.value, addition.name) : "";
  const whole = filled([words, input].filter((part) => part !== "").join("\n"), question.name);
  const row = { question: whole, answer: filled(asText(answer.value, answer.name), answer.name) };
  return { row: input === "" || words === "" ? row : { ...row, input }, form };
}

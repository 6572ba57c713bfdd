/** Recorded runs: checks a file before any view sees it, and writes one. Their shape is the contract's. */
import { MOST_ARMS, RECORD_FORMAT, RECORD_SCHEMA, RECORD_VERSION } from "../contract/data.js";
import { t } from "../ui/text.js";
import { RecordError, check, parseJson } from "./check.js";
import { upgradeRecord } from "./upgrade.js";

/** @typedef {import("../contract/types.js").RunRecord} RunRecord */

/**
 * Checks a parsed file.
 * @returns {RunRecord}
 * @throws {RecordError}
 */
function checkRecord(/** @type {any} */ value) {
  if (typeof value !== "object" || value === null || value.format !== RECORD_FORMAT) {
    throw new RecordError(t("record.format", { format: RECORD_FORMAT }));
  }
  const record = value.version === 1 ? upgradeRecord(value) : value;
  if (record.version !== RECORD_VERSION) {
    const version = JSON.stringify(value.version) ?? "?";
    throw new RecordError(t("record.version", { version, newest: String(RECORD_VERSION) }));
  }
  check(RECORD_SCHEMA, "RunRecord", record, "file");
  let facts = 0;
  record.events.forEach((/** @type {import("../contract/types.js").RunEvent} */ event, /** @type {number} */ i) => {
    const path = `events[${i}]`;
    if (event.type === "run") {
      facts = event.facts.length;
      checkArms(event, path);
    }
    const measure = event.type === "strength" ? event.measure : event.type === "measure" ? event : null;
    if (measure && (measure.cells.length !== facts || measure.logprobs.length !== facts)) {
      throw new RecordError(t("record.cells", { path, facts: String(facts) }));
    }
  });
  if (!record.events.some((/** @type {any} */ event) => event.type === "run" || event.type === "summary")) {
    throw new RecordError(t("record.no-run"));
  }
  return record;
}

/** What a schema does not say: how many arms there are, and that their ids are their own. */
function checkArms(
  /** @type {Extract<import("../contract/types.js").RunEvent, {type: "run"}>} */ { settings, arms },
  /** @type {string} */ path,
) {
  const ids = settings.arms.map((arm) => arm.id);
  if (ids.length < 1 || ids.length > MOST_ARMS) {
    throw new RecordError(t("record.arms", { path, most: MOST_ARMS, found: String(ids.length) }));
  }
  if (new Set(ids).size < ids.length) throw new RecordError(t("record.same-ids", { path }));
  const isTheirs = arms.length === ids.length && arms.every(({ arm }, i) => arm === ids[i]);
  if (!isTheirs) throw new RecordError(t("record.other-arms", { path, arms: ids.join(", ") }));
}

/** Parses and checks the text of a file. */
export function parseRecord(/** @type {string} */ content) {
  return checkRecord(parseJson(content));
}

/** The shown run as the text of a file. */
export function writeRecord(/** @type {import("./store.js").Store} */ store) {
  const { kind, engine, instructions } = store.source;
  const summary = store.summaryKind === kind ? store.summary : null; // otherwise it came with another file
  const events = summary ? [...store.events, summary] : store.events;
  /** @type {RunRecord} */
  const record = { format: RECORD_FORMAT, version: RECORD_VERSION, engine, events };
  if (instructions !== null) record.instructions = instructions;
  return JSON.stringify(record);
}

/** A text that may hold commas, as a cell. */
const quoted = (/** @type {string} */ text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** Steps and measures of the shown run as comma-separated values, one row per arm and step. */
export function writeCsv(/** @type {import("./store.js").Store} */ store) {
  const forms = [
    ["kept", "cloze"],
    ["kept", "asked"],
    ["seen", "cloze"],
    ["seen", "asked"],
    ["new", "cloze"],
    ["new", "asked"],
  ];
  const head = [
    "arm",
    "label",
    "step",
    "train_loss",
    "lr",
    "grad_norm",
    "tokens",
    "ms",
    "heldout_loss",
    "kl_nats_per_token",
    "kl_task_nats_per_token",
    "shift_tokens",
    "unshifted",
    "marginal",
    "shifted",
    "borrowed",
    "other",
    "malformed",
    "unique_answers",
    "drawn_answers",
    "intruders_per_matrix",
    ...forms.flatMap(([s, f]) => [`${s}_${f}_correct`, `${s}_${f}_n`]),
  ];
  const rows = store.armNames.flatMap((name) => {
    const { steps, measures } = store.log(name);
    const all = [...new Set([...steps, ...measures].map((entry) => entry.step))].sort((a, b) => a - b);
    const stepAt = new Map(steps.map((entry) => [entry.step, entry]));
    const measureAt = new Map(measures.map((entry) => [entry.step, entry]));
    return all.map((step) => {
      const s = stepAt.get(step);
      const m = measureAt.get(step);
      const recalls = forms.flatMap(([split, form]) => {
        const entry = m?.recall.find((r) => r.split === split && r.form === form);
        return [entry?.correct, entry?.n];
      });
      return [
        name,
        quoted(store.label(name)),
        step,
        s?.loss,
        s?.lr,
        s?.grad_norm,
        s?.tokens,
        s?.ms,
        m?.heldout_loss,
        m?.shift.kl,
        m?.kl_task,
        m?.shift.n,
        m?.shift.unshifted,
        m?.shift.marginal,
        m?.shift.shifted,
        m?.errors.borrowed,
        m?.errors.other,
        m?.errors.malformed,
        m?.diversity?.unique,
        m?.diversity?.n,
        m?.intruders,
        ...recalls,
      ];
    });
  });
  return [head, ...rows].map((row) => row.map((cell) => cell ?? "").join(",")).join("\n") + "\n";
}

/** Lessons: checks a file, and writes the sentences that are made from figures. */
import { BASE, DEFAULT_ARMS, LESSON_FORMAT, LESSON_SCHEMA, LESSON_VERSION, METRICS } from "../contract/data.js";
import { count, fixed, modelName, percent, rate } from "../ui/format.js";
import { t } from "../ui/text.js";
import { RecordError, check, parseJson } from "./check.js";
import { comparisonText, verdictOf } from "./comparisons.js";
import { metricOf } from "./metrics.js";

/**
 * @typedef {import("../contract/types.js").Lesson} Lesson
 * @typedef {import("../contract/types.js").SceneFact} SceneFact
 * @typedef {import("./store.js").Store} Store
 */

/**
 * Parses and checks the text of a lesson's file.
 * @returns {Lesson}
 * @throws {RecordError}
 */
export function parseLesson(/** @type {string} */ text) {
  const lesson = parseJson(text);
  if (typeof lesson !== "object" || lesson === null || lesson.format !== LESSON_FORMAT)
    throw new RecordError(t("lesson.file.format", { format: LESSON_FORMAT }));
  if (lesson.version !== LESSON_VERSION)
    throw new RecordError(t("lesson.file.version", { version: String(lesson.version), known: String(LESSON_VERSION) }));
  check(LESSON_SCHEMA, "Lesson", lesson, "lesson");
  if (lesson.steps.length === 0) throw new RecordError(t("lesson.file.no-step"));
  return lesson;
}

/** A text in the wanted language, in English where it has none, otherwise in the language that it has. */
export function inLanguage(/** @type {Record<string, string> | null | undefined} */ words, /** @type {string} */ language) {
  if (!words) return "";
  return words[language] ?? words.en ?? Object.values(words)[0] ?? "";
}

/** In place of a figure that was not measured. */
export const MISSING = "–";

/** What the usual arms are called, by id. */
const USUAL = new Map(Object.values(DEFAULT_ARMS).map(({ id, label }) => [id, label]));

const IS_SHARE = new Map(METRICS.map((metric) => [/** @type {string} */ (metric.name), metric.is_share]));

/**
 * A sentence with its figures: `{recall_cloze full}` of an arm at the step that is shown, `{step}`, `{model}`, `{facts}`,
 * `{label full}`, `{rate full}`; of the experiment that is shown `{verdict}`, `{comparisons}`, `{best_rate lora}`, means over
 * seeds `{recall_cloze lora best_rate}` and, at one rate, `{recall_cloze lora 1e-3}`; and of its checks `{check_n full}` and
 * `{check_followed full}`. What was not measured is a dash.
 */
export function withFigures(/** @type {string} */ text, /** @type {Store} */ store) {
  return text.replace(/\{(\w+)(?: ([\w-]+))?(?: ([\w.-]+))?\}/g, (_, name, arm, way) => figure(name, arm ?? "", way, store));
}

/** Whether a row of a summary is of a way to compare, or of one rate for all. */
function isOf(/** @type {import("../contract/types.js").SummaryRow} */ { fairness, lr }, /** @type {string} */ way) {
  const same = Number(way);
  return Number.isNaN(same) ? fairness === way : fairness === "same_rate" && Math.abs(lr - same) < 1e-3 * same;
}

function figure(/** @type {string} */ name, /** @type {string} */ arm, /** @type {string | undefined} */ way, /** @type {Store} */ store) {
  if (name === "step") return count(store.measuredStep);
  if (name === "model") return store.run ? modelName(store.run.model) : MISSING;
  if (name === "facts") return count(store.run?.facts.length);
  if (name === "label") return store.label(arm);
  if (name === "rate") return rate(store.run?.settings.arms.find(({ id }) => id === arm)?.lr);
  const { summary } = store;
  const row = summary?.rows.find((entry) => entry.arm === arm && isOf(entry, way ?? "best_rate"));
  if (name === "verdict") return summary ? verdictOf(summary) : MISSING;
  if (name === "comparisons") return summary?.comparisons?.map((one) => comparisonText(summary, one)).join(" ") ?? MISSING;
  if (name === "best_rate") return rate(row?.lr);
  const swapped = summary?.counterfactual?.find((check) => check.arm === arm)?.swapped;
  if (name === "check_n") return count(swapped?.n);
  if (name === "check_followed") return count(swapped?.followed);
  // An arm of another run may have the same id and be another kind: the sentence would be about something else.
  if (arm !== BASE && !way && USUAL.has(arm) && store.label(arm) !== USUAL.get(arm)) return MISSING;
  const measure = arm === BASE ? store.start() : store.measure(arm);
  const value = way ? row?.figures[name]?.mean : metricOf(name, measure);
  return IS_SHARE.get(name) ? percent(value) : fixed(value);
}

/** The first fact of the walls that is as a scene wants it, in its arm or in any that is shown; -1 where none is. */
export function factOf(/** @type {SceneFact} */ wanted, /** @type {Store} */ store, /** @type {(letter: string) => string} */ nameOf) {
  const same = (/** @type {string | null | undefined} */ a, /** @type {string} */ b) =>
    a === null || a === undefined || a.toLowerCase() === b.toLowerCase();
  const arms = wanted.arm ? [wanted.arm] : store.armNames;
  const cells = arms.map((arm) => store.measure(arm)?.cells ?? "");
  return (store.run?.facts ?? []).findIndex(
    (fact, i) =>
      same(wanted.subject, fact.subject) &&
      same(wanted.relation, fact.relation) &&
      (!wanted.state || cells.some((letters) => i < letters.length && nameOf(letters[i]) === wanted.state)),
  );
}

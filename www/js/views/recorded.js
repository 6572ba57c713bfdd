/** The records that the page brings along: the run that is shown first, and those of the experiments. */
import { PRESETS } from "../contract/data.js";
import { parseRecord } from "../state/record.js";
import { say } from "../ui/alerts.js";
import { find, setText } from "../ui/dom.js";
import { t, textOr } from "../ui/text.js";

/** The record that is shown first. */
const FIRST = "f4";
/** Those that were read, by name. @type {Map<string, Promise<import("../contract/types.js").RunRecord>>} */
const read = new Map();

async function fetchRecord(/** @type {string} */ name) {
  if (!PRESETS.some((preset) => preset.name === name)) throw new Error(t("recorded.no-such"));
  const response = await fetch(new URL(`examples/${name}.json`, document.baseURI));
  if (!response.ok) throw new Error(t("recorded.server-answered", { status: String(response.status) }));
  return parseRecord(await response.text());
}

/** The record of an experiment; one that did not come is fetched anew. */
function recordOf(/** @type {string} */ name) {
  let record = read.get(name);
  if (!record) {
    record = fetchRecord(name);
    read.set(name, record);
    record.catch(() => read.delete(name));
  }
  return record;
}

/** At the start, unless something else is shown by then, or when it is `isWanted` again. */
export async function showRecorded(/** @type {import("../state/store.js").Store} */ store, isWanted = false) {
  try {
    const record = await recordOf(FIRST);
    if (store.source.kind === "none" || isWanted) store.open(record, "recorded");
  } catch (error) {
    setText(find("#recorded-note"), t("recorded.not-shown", { message: /** @type {Error} */ (error).message }));
  }
}

/** Shows the record of an experiment, unless it is shown already. */
export async function openRecorded(
  /** @type {import("../state/store.js").Store} */ store,
  /** @type {import("../state/run-control.js").RunControl} */ control,
  /** @type {string} */ name,
) {
  const record = await recordOf(name);
  const hasRun = record.events.some((event) => event.type === "run");
  const isShown = hasRun ? store.holds(record) : store.summary !== null && record.events.includes(store.summary);
  if (isShown && store.summary?.preset === name) return;
  if (hasRun) control.leave(); // figures alone leave the run that is shown
  store.open(record, "recorded");
}

/** Shows the record of an experiment in its drawer: its run and its summary. */
export async function showFinding(
  /** @type {import("../state/store.js").Store} */ store,
  /** @type {import("../state/run-control.js").RunControl} */ control,
  /** @type {string} */ name,
) {
  const title = textOr(`preset.${name}.title`, PRESETS.find((preset) => preset.name === name)?.title ?? name);
  const note = find("#finding-error");
  note.hidden = true;
  try {
    await openRecorded(store, control, name);
    say(t("recorded.shown", { title }));
    find("#summary-title").focus();
  } catch (error) {
    note.hidden = false;
    setText(note, t("recorded.finding-not-shown", { title, message: /** @type {Error} */ (error).message }));
  }
}

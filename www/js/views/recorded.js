/** The records that the page brings along: the run that is shown first, and those of the experiments. */
import { PRESETS } from "../contract/data.js";
import { parseRecord } from "../state/record.js";
import { say } from "../ui/alerts.js";
import { find, setText } from "../ui/dom.js";

/** The record that is shown first. */
const FIRST = "lora-vs-full";

async function fetchRecord(/** @type {string} */ name) {
  const response = await fetch(new URL(`examples/${name}.json`, document.baseURI));
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  return parseRecord(await response.text());
}

/** At the start, unless something else is shown by then, or when it is `isWanted` again. */
export async function showRecorded(/** @type {import("../state/store.js").Store} */ store, isWanted = false) {
  try {
    const record = await fetchRecord(FIRST);
    if (store.source.kind === "none" || isWanted) store.open(record, "recorded");
  } catch (error) {
    setText(find("#recorded-note"), `The recorded run could not be shown (${/** @type {Error} */ (error).message}).`);
  }
}

/** Shows the record of an experiment: its run and its summary. */
export async function showFinding(
  /** @type {import("../state/store.js").Store} */ store,
  /** @type {import("../state/run-control.js").RunControl} */ control,
  /** @type {string} */ name,
) {
  const title = PRESETS.find((preset) => preset.name === name)?.title ?? name;
  const note = find("#finding-error");
  note.hidden = true;
  try {
    const record = await fetchRecord(name);
    control.leave();
    store.open(record, "recorded");
    say(`Recorded: ${title}`);
    find("#summary-title").focus();
  } catch (error) {
    note.hidden = false;
    setText(note, `“${title}” could not be shown (${/** @type {Error} */ (error).message}).`);
  }
}

/** Teacher tools: a run as a file, out and in; its figures as CSV; a link to the settings; the adapter. */
import { clearErrors, say, showError } from "../ui/alerts.js";
import { download, find, setText, update } from "../ui/dom.js";
import { makeSlots } from "../ui/slots.js";
import { t } from "../ui/text.js";
import { RecordError } from "../state/check.js";
import { parseRecord, writeCsv, writeRecord } from "../state/record.js";

const LARGEST = 200e6;

/** The buttons that save an arm, by place. @type {any[]} */
let saveSlots = [];

/**
 * @typedef {import("../state/store.js").Store} Store
 * @typedef {import("../contract/types.js").Command} Command
 */

/**
 * @param {Store} store
 * @param {{onImport: () => void, hash: () => string, post: (command: Command) => void}} hooks
 */
export function makeFileTools(store, hooks) {
  const file = () => `driftscope-run-seed${store.run?.settings.seed ?? 0}-step${store.newest}`;
  find("#export-json").addEventListener("click", () =>
    download(`${file()}.json`, writeRecord(store), "application/json"),
  );
  find("#export-csv").addEventListener("click", () => download(`${file()}.csv`, writeCsv(store), "text/csv"));
  find("#import-json").addEventListener("change", async (/** @type {Event & {target: HTMLInputElement}} */ event) => {
    const [chosen] = event.target.files ?? [];
    if (chosen) await open(store, chosen, hooks.onImport);
    event.target.value = "";
  });
  find("#copy-link").addEventListener("click", () => copyLink(hooks.hash()));
  saveSlots = makeSlots("[data-save]", find("#tools"));
  for (const button of saveSlots) {
    button.addEventListener("click", () => hooks.post({ type: "save", arm: button.dataset.save }));
  }
}

async function open(/** @type {Store} */ store, /** @type {File} */ file, /** @type {() => void} */ onImport) {
  clearErrors("import");
  try {
    if (file.size > LARGEST) throw new RecordError(t("files.too-large"));
    const record = parseRecord(await file.text());
    onImport();
    store.open(record, "imported");
    say(t("files.opened", { file: file.name }));
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    showError("import", `${file.name}: ${error.message}`);
  }
}

async function copyLink(/** @type {string} */ hash) {
  const link = new URL(hash || "#", document.baseURI).href.replace(/#$/, "");
  try {
    await navigator.clipboard.writeText(link);
    say(t("files.link-copied"));
  } catch {
    const field = find("#link");
    field.hidden = false;
    field.value = link;
    field.select();
    say(t("files.link-selected"));
  }
}

/** Which tools can be used now. */
export function enableFileTools(
  /** @type {Store} */ store,
  /** @type {import("../state/run-control.js").RunControl} */ control,
) {
  for (const name of ["#export-json", "#export-csv"]) update(find(name), { disabled: !store.run });
  saveSlots.forEach((button, place) => {
    const arm = store.armAt(place);
    update(button, { hidden: arm === null, disabled: !(control.mode === "live" && control.isLive) });
    if (arm === null) return;
    update(button.dataset, { save: arm });
    const isAdapter = store.run?.settings.arms[place].method.kind === "lora";
    const name = { arm: store.label(arm) };
    setText(button, isAdapter ? t("files.save-adapter", name) : t("files.save-model", name));
  });
}

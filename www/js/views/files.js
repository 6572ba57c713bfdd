/** Teacher tools: a run as a file, with its adapters or without, out and in; its figures as CSV; a link to the settings; the adapter. */
import { ZipError, openZip } from "../models/zip.js";
import { clearErrors, say, showError } from "../ui/alerts.js";
import { download, find, setText, update } from "../ui/dom.js";
import { makeSlots } from "../ui/slots.js";
import { t } from "../ui/text.js";
import { RecordError } from "../state/check.js";
import { parseRecord, writeCsv, writeRecord } from "../state/record.js";
import { RUN_FILE } from "./save-arm.js";

const LARGEST = 200e6;

/** The buttons that save an arm, by place. @type {any[]} */
let saveSlots = [];

/**
 * @typedef {import("../state/store.js").Store} Store
 * @typedef {import("../contract/types.js").Command} Command
 */

/**
 * @typedef {object} Hooks
 * @property {() => void} onImport
 * @property {() => string} hash
 * @property {(command: Command) => void} post
 * @property {(name: string, arms: string[], record: () => string) => void} saveRun
 * @property {(zip: File) => void} takeAdapters
 */

const isZip = (/** @type {File} */ file) => /\.zip$/i.test(file.name);

/** Ids of the arms whose adapters can be saved. */
const adaptersOf = (/** @type {Store} */ store) =>
  (store.run?.settings.arms ?? []).filter(({ method }) => method.kind === "lora").map(({ id }) => id);

/**
 * @param {Store} store
 * @param {Hooks} hooks
 */
export function makeFileTools(store, hooks) {
  const file = () => `driftscope-run-seed${store.run?.settings.seed ?? 0}-step${store.newest}`;
  find("#export-json").addEventListener("click", () =>
    download(`${file()}.json`, writeRecord(store), "application/json"),
  );
  find("#export-run").addEventListener("click", () => hooks.saveRun(file(), adaptersOf(store), () => writeRecord(store)));
  find("#export-csv").addEventListener("click", () => download(`${file()}.csv`, writeCsv(store), "text/csv"));
  find("#import-json").addEventListener("change", async (/** @type {Event & {target: HTMLInputElement}} */ event) => {
    const [chosen] = event.target.files ?? [];
    if (chosen) await open(store, chosen, hooks);
    event.target.value = "";
  });
  find("#copy-link").addEventListener("click", () => copyLink(hooks.hash()));
  saveSlots = makeSlots("[data-save]", find("#tools"));
  for (const button of saveSlots) {
    button.addEventListener("click", () => hooks.post({ type: "save", arm: button.dataset.save }));
  }
}

/** Shows the run of a file; the adapters of a zip are held beside the base. */
async function open(/** @type {Store} */ store, /** @type {File} */ file, /** @type {Hooks} */ hooks) {
  clearErrors("import");
  try {
    const record = parseRecord(await textOf(file));
    hooks.onImport();
    store.open(record, "imported");
    say(t("files.opened", { file: file.name }));
    if (isZip(file)) hooks.takeAdapters(file);
  } catch (error) {
    if (!(error instanceof RecordError || error instanceof ZipError)) throw error;
    const { message } = error;
    showError("import", message.startsWith(file.name) ? message : `${file.name}: ${message}`);
  }
}

/** @throws {RecordError | ZipError} */
async function textOf(/** @type {File} */ file) {
  const whole = { size: file.size, read: async () => file };
  const run = isZip(file) ? (await openZip(file.name, file)).find(({ path }) => path === RUN_FILE) : whole;
  if (!run) throw new RecordError(t("files.no-run", { file: RUN_FILE }));
  if (run.size > LARGEST) throw new RecordError(t("files.too-large"));
  return (await run.read()).text();
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
  const isTrained = control.mode === "live" && control.isLive;
  update(find("#export-run"), { disabled: !isTrained || adaptersOf(store).length === 0 });
  saveSlots.forEach((button, place) => {
    const arm = store.armAt(place);
    update(button, { hidden: arm === null, disabled: !isTrained });
    if (arm === null) return;
    update(button.dataset, { save: arm });
    const isAdapter = store.run?.settings.arms[place].method.kind === "lora";
    const name = { arm: store.label(arm) };
    setText(button, isAdapter ? t("files.save-adapter", name) : t("files.save-model", name));
  });
}

/** Adapters of the loaded model: choosing or dropping them, keeping an arm's, and making arms that start from them. */
import { AdapterError, adaptersAmong, nameOf } from "../models/adapter-files.js";
import { ZipError } from "../models/zip.js";
import { fromAdapter } from "../state/arms.js";
import { clearErrors, say, showError } from "../ui/alerts.js";
import { el, find, setText, update } from "../ui/dom.js";
import { filesOf, listenToDrops } from "../ui/drop.js";
import { count } from "../ui/format.js";
import { makeSlots } from "../ui/slots.js";
import { t } from "../ui/text.js";
import { MOST_ARMS } from "../contract/data.js";

/**
 * @typedef {import("../contract/types.js").AdapterInfo} AdapterInfo
 * @typedef {import("../contract/types.js").Command} Command
 * @typedef {import("./settings-form.js").SettingsForm} SettingsForm
 */

/** "LoRA of rank 8, alpha 16, on 7 matrices of each layer; 55,296 numbers" */
function describe(/** @type {AdapterInfo} */ { spec, parameters }) {
  const method = spec.dora ? "DoRA" : spec.rslora ? "rsLoRA" : "LoRA";
  const shape = { method, rank: String(spec.rank), alpha: String(spec.alpha), targets: spec.targets.join(", ") };
  return t("adapters.shape", { ...shape, numbers: count(parameters) });
}

export class Adapters {
  /**
   * @param {SettingsForm} form
   * @param {import("../state/store.js").Store} store
   * @param {(command: Command) => void} post
   */
  constructor(form, store, post) {
    this.form = form;
    this.store = store;
    this.post = post;
    /** The most bytes that an adapter's file may have; nothing before a model is loaded. */
    this.most = NaN;
    /** What was asked for and is not answered yet: names, in order; "" for one that is removed. @type {string[]} */
    this.asked = [];
    /** What was taken from files, by name, for another engine. @type {Map<string, Extract<Command, {type: "add_adapter"}>>} */
    this.taken = new Map();
    const choose = (/** @type {Event & {target: HTMLInputElement}} */ { target }) => {
      const files = [...(target.files ?? [])];
      target.value = ""; // the same files can be chosen again
      this.take(files.map((blob) => ({ path: blob.webkitRelativePath || blob.name, blob })));
    };
    find("#adapter-files").addEventListener("change", choose);
    find("#adapter-folder").addEventListener("change", choose);
    listenToDrops(find("#adapters"), async (items) => this.take(await filesOf(items)));
    this.keepers = makeSlots("[data-keep]", find("#adapters-keep"));
    for (const button of this.keepers) button.addEventListener("click", () => this.keep(button.dataset.keep));
  }

  /** A model is loaded: the adapters were the last one's, unless it `isSame` in another engine. */
  begin(/** @type {number} */ most, isSame = false) {
    this.most = most;
    this.asked = [];
    this.show([]);
    if (!isSame) this.taken.clear();
    for (const [name, command] of this.taken) {
      this.asked.push(name);
      this.post(command);
    }
  }

  /** Names that are held, or are about to be. @private */
  get names() {
    return [...this.form.adapters.map(({ name }) => name), ...this.asked];
  }

  /** Files that were chosen or dropped; what is wrong with them is said, and everything stays as it is. */
  async take(/** @type {{path: string, blob: Blob}[]} */ files) {
    if (files.length === 0) return;
    clearErrors("adapter");
    try {
      if (!(this.most > 0)) throw new AdapterError(t("adapters.still-loading"));
      for (const chosen of await adaptersAmong(files, this.most, this.names)) {
        const command = /** @type {const} */ ({ type: "add_adapter", ...chosen });
        this.asked.push(chosen.name);
        this.taken.set(chosen.name, command);
        this.post(command);
      }
    } catch (error) {
      if (!(error instanceof AdapterError || error instanceof ZipError)) throw error;
      showError("adapter", `${error.message}.`);
    }
  }

  /** Holds what an arm has come to. @private */
  keep(/** @type {string} */ arm) {
    clearErrors("adapter");
    const name = nameOf(`${this.store.label(arm)} ${this.store.newest}`, this.names);
    this.asked.push(name);
    this.post({ type: "keep_adapter", name, arm });
  }

  /** The engine's answer. */
  held(/** @type {AdapterInfo[]} */ adapters) {
    const name = this.asked.shift();
    const added = adapters.find((adapter) => adapter.name === name);
    if (added) say(t("adapters.here", { name: added.name }));
    this.show(adapters);
  }

  refused(/** @type {string} */ message) {
    const name = this.asked.shift() ?? "";
    this.taken.delete(name);
    showError("adapter", `${name}: `, message);
  }

  /** @private */
  show(/** @type {AdapterInfo[]} */ adapters) {
    this.form.setAdapters(adapters);
    const rows = adapters.map((adapter) =>
      el(
        "li",
        { "data-adapter": adapter.name },
        el("p", {}, el("b", {}, adapter.name), ` ${describe(adapter)}`),
        el(
          "button",
          { type: "button", onclick: () => this.addArm(adapter), "aria-label": t("adapters.add-name", { name: adapter.name }) },
          t("adapters.add"),
        ),
        el(
          "button",
          {
            type: "button",
            class: "quiet",
            onclick: () => this.remove(adapter.name),
            "aria-label": t("adapters.remove-name", { name: adapter.name }),
          },
          t("adapters.remove"),
        ),
        ...adapter.notes.map((note) => el("p", { class: "hint" }, `${note}.`)),
      ),
    );
    find("#adapters-list").replaceChildren(...rows);
    setText(find("#adapters-count"), adapters.length > 0 ? t("adapters.count", { n: adapters.length }) : "");
  }

  /** @private */
  remove(/** @type {string} */ name) {
    this.asked.push("");
    this.taken.delete(name);
    this.post({ type: "remove_adapter", name });
  }

  /** @private */
  addArm(/** @type {AdapterInfo} */ adapter) {
    const { arms } = this.form.settings;
    if (arms.length >= MOST_ARMS) return say(t("arms-editor.most", { n: MOST_ARMS }));
    this.form.setArms(fromAdapter(arms, adapter));
    say(t("adapters.added", { name: adapter.name }));
  }

  /** Which arms' adapters can be kept now. */
  enable(/** @type {boolean} */ isLive) {
    this.keepers.forEach((button, place) => {
      const arm = this.store.armAt(place);
      const isAdapter = arm !== null && this.store.run?.settings.arms[place].method.kind === "lora";
      update(button, { hidden: !isAdapter, disabled: !isLive });
      if (!isAdapter) return;
      update(button.dataset, { keep: arm });
      setText(button, t("adapters.keep", { arm: this.store.label(arm) }));
    });
  }
}

/** Another model than Atlas: choosing, dropping or fetching its files, what it takes here, and loading it. */
import { ModelError, modelAmong } from "../models/files.js";
import { ModelDownload, keptModels, openKept, removeKept } from "../models/store.js";
import { clearErrors, showError } from "../ui/alerts.js";
import { filesOf, listenToDrops } from "../ui/drop.js";
import { el, find, setText } from "../ui/dom.js";
import { bytes, fixed, modelName } from "../ui/format.js";
import { t } from "../ui/text.js";

/**
 * @typedef {import("../models/files.js").Chosen} Chosen
 * @typedef {import("../contract/types.js").ModelInfo} ModelInfo
 * @typedef {import("../contract/types.js").Way} Way
 */

const MINUTE_MS = 60_000;
/** A visitor does not wait longer for a measurement without being asked. */
const LONG_MS = 20_000;

/** "about 2.3 s" */
function duration(/** @type {number} */ ms) {
  if (ms < 100) return t("model-picker.about-ms", { time: fixed(ms, 0) });
  if (ms < MINUTE_MS) return t("model-picker.about-s", { time: fixed(ms / 1000, 1) });
  return t("model-picker.about-min", { time: fixed(ms / MINUTE_MS, 0) });
}

function wayName(/** @type {Way} */ { full, weights, checkpoint }) {
  const base = weights === "f16" ? `, ${t("model-picker.base-f16")}` : "";
  const checkpoints = checkpoint ? `, ${t("model-picker.checkpoints")}` : "";
  return `${full ? t("model-picker.full") : "LoRA"}${base}${checkpoints}`;
}

/** What fits, where something does not. */
function fitting(/** @type {Way[]} */ ways) {
  const fits = ways.filter(({ refusal }) => refusal == null).map(wayName);
  if (fits.length === ways.length) return [];
  return [el("p", { id: "model-fits" }, fits.length > 0 ? t("model-picker.fits", { ways: fits.join("; ") }) : t("model-picker.none-fits"))];
}

export class ModelPicker {
  /**
   * @param {{inspect: (chosen: Chosen) => void, load: (chosen: Chosen, way: Way) => void, progress: import("../models/download.js").OnBytes,
   *   probes: () => number, measureLess: () => void, settled: () => void}} hooks `probes`: facts that the setup has
   *   measured; `settled`: nothing is being fetched any more
   */
  constructor(hooks) {
    this.hooks = hooks;
    /** @type {Chosen | null} */
    this.chosen = null;
    /** Layers of the chosen model. */
    this.layers = 0;
    /** @type {AbortController | null} */
    this.fetching = null;
    const choose = (/** @type {Event & {target: HTMLInputElement}} */ { target }) => {
      const files = [...(target.files ?? [])];
      target.value = ""; // the same files can be chosen again
      this.take(files.map((blob) => ({ path: blob.webkitRelativePath || blob.name, blob })));
    };
    find("#model-files").addEventListener("change", choose);
    find("#model-folder").addEventListener("change", choose);
    listenToDrops(find("#model"), async (items) => this.take(await filesOf(items)));
    find("#model-address-form").addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      if (this.fetching) this.fetching.abort();
      else this.fetch(find("#model-address").value);
    });
    find("#model").addEventListener("toggle", () => this.listKept());
  }

  /** Files that were chosen or dropped. */
  take(/** @type {{path: string, blob: Blob}[]} */ files) {
    if (files.length > 0) this.attempt(async () => this.consider(modelAmong(files)));
  }

  /** @private */
  fetch(/** @type {string} */ address) {
    return this.attempt(async () => {
      this.fetching = new AbortController();
      setText(find("#model-fetch"), t("model-picker.stop"));
      const { signal } = this.fetching;
      const notKept = (/** @type {string} */ why) => setText(find("#model-not-kept"), why);
      const download = new ModelDownload(address, { onBytes: this.hooks.progress, notKept, signal });
      try {
        this.consider(await download.run());
      } catch (error) {
        if (!signal.aborted) throw error;
        this.say(t("model-picker.stopped"));
      }
    });
  }

  /** What goes wrong is said; the stage stays as it is. @private */
  async attempt(/** @type {() => Promise<void>} */ work) {
    clearErrors("model");
    this.say("");
    setText(find("#model-not-kept"), "");
    try {
      await work();
    } catch (error) {
      const { message } = /** @type {Error} */ (error);
      showError("model", error instanceof ModelError ? `${message}.` : message);
    }
    this.fetching = null;
    setText(find("#model-fetch"), t("model-picker.fetch"));
    this.hooks.settled();
    await this.listKept();
  }

  /** @private */
  consider(/** @type {Chosen} */ chosen) {
    this.chosen = chosen;
    this.layers = 0;
    find("#model-ways").replaceChildren();
    const size = chosen.blobs.reduce((sum, blob) => sum + blob.size, 0);
    this.say(t("model-picker.chosen", { name: chosen.name, n: chosen.files.length, size: bytes(size) }));
    this.hooks.inspect(chosen);
  }

  say(/** @type {string} */ text) {
    setText(find("#model-status"), text);
  }

  /** The engine has looked at the chosen model. */
  inspected(/** @type {ModelInfo} */ info) {
    const { chosen } = this;
    if (!chosen) return;
    const { title, layers, vocabulary, positions } = info;
    this.say(t("model-picker.inspected", { title, layers, vocabulary, positions }));
    const free = info.available == null ? "" : ` ${t("model-picker.free", { memory: bytes(info.available) })}`;
    const rows = info.ways.map((way) => {
      const load = el("button", { type: "button", onclick: () => this.hooks.load(chosen, way) }, t("model-picker.load"));
      load.disabled = way.refusal != null;
      const name = wayName(way);
      load.setAttribute("aria-label", t("model-picker.load-for", { way: name }));
      return el(
        "tr",
        {},
        el("th", { scope: "row" }, name),
        el("td", { class: "number" }, bytes(way.bytes)),
        el("td", { class: "number" }, duration(way.step_ms)),
        el("td", {}, load, way.refusal && el("p", { class: "hint" }, way.refusal)),
      );
    });
    this.layers ||= info.layers;
    const kept = el("input", { type: "number", min: 1, max: this.layers, value: info.layers, id: "model-layers" });
    kept.addEventListener("change", () => {
      this.chosen = { ...chosen, layers: Math.min(Math.max(Math.round(kept.valueAsNumber) || 1, 1), this.layers) };
      this.hooks.inspect(this.chosen);
    });
    const names = [t("model-picker.for"), t("model-picker.memory"), t("model-picker.a-step"), t("model-picker.load-it")];
    const heads = names.map((name) => el("th", { scope: "col" }, name));
    find("#model-ways").replaceChildren(
      ...fitting(info.ways),
      el("table", {}, el("caption", {}, t("model-picker.caption") + free), el("thead", {}, el("tr", {}, heads)), el("tbody", {}, rows)),
      el(
        "p",
        {},
        el("label", { for: "model-layers" }, `${t("model-picker.layers-kept")} `),
        kept,
        el("span", { class: "soft" }, ` ${t("model-picker.layers-of", { n: this.layers })}`),
      ),
      this.measurement(chosen, info),
      ...info.notes.map((note) => el("p", { class: "hint" }, note)),
    );
  }

  /** What measuring takes, and a way to have it take less. @private */
  measurement(/** @type {Chosen} */ chosen, /** @type {ModelInfo} */ { measurement_ms }) {
    const text = `${t("model-picker.measurement", { n: this.hooks.probes(), time: duration(measurement_ms) })} `;
    if (measurement_ms < LONG_MS) return el("p", {}, text);
    const less = () => {
      this.hooks.measureLess();
      this.hooks.inspect(chosen);
    };
    return el("p", {}, text, el("button", { type: "button", onclick: less }, t("model-picker.measure-less")));
  }

  /** The engine cannot use it; what was loaded before still is. */
  refused(/** @type {string} */ message) {
    this.say("");
    showError("model", "", message);
  }

  loaded(/** @type {string} */ title) {
    if (this.chosen) this.say(t("model-picker.loaded", { title: modelName(title) }));
  }

  /** Shows what is kept, and how to be rid of it. @private */
  async listKept() {
    if (!find("#model").open) return;
    const kept = await keptModels();
    const items = kept.map((model) => {
      const { name, address, files } = model;
      const open = () => this.attempt(async () => this.consider(await openKept(model)));
      const goOn = () => this.fetching || this.fetch(address);
      const remove = () => this.attempt(() => removeKept(model.id));
      return el(
        "li",
        {},
        t(files ? "model-picker.kept" : "model-picker.kept-part", { name, size: bytes(model.bytes) }),
        " ",
        el("button", { type: "button", onclick: files ? open : goOn }, t(files ? "model-picker.open" : "model-picker.go-on")),
        " ",
        el("button", { type: "button", class: "quiet", "aria-label": t("model-picker.remove-one", { name }), onclick: remove }, t("model-picker.remove")),
      );
    });
    find("#model-kept").replaceChildren(...items);
    find("#model-kept-title").hidden = kept.length === 0;
  }
}

/** Keeps the run that trains, and offers it again after a reload. */
import { forget, keep, kept } from "../state/kept-run.js";
import { say } from "../ui/alerts.js";
import { find, setText, update } from "../ui/dom.js";
import { bytes, count } from "../ui/format.js";
import { invalidate } from "../ui/frame.js";
import { t } from "../ui/text.js";

/**
 * @typedef {import("../state/store.js").Store} Store
 * @typedef {import("../state/run-control.js").RunControl} RunControl
 * @typedef {import("../state/kept-run.js").Kept} Kept
 */

/** A larger state is not kept: writing it would take longer than what it saves. */
const MOST_BYTES = 300e6;
/** A trained tensor and two moments, of four bytes each. */
const BYTES_A_PARAMETER = 12;
const BETWEEN_MS = 2000;
/** Whoever holds it keeps its run: the first tab that trains. */
const LOCK = "driftscope-run";

export class KeptRunView {
  /**
   * @param {Store} store
   * @param {RunControl} control
   * @param {(command: import("../contract/types.js").Command) => void} post
   * @param {(run: Kept) => void} goOn
   */
  constructor(store, control, post, goOn) {
    this.store = store;
    this.control = control;
    this.post = post;
    /** What is on its way: a snapshot was asked for, or is being written. */
    this.isBusy = false;
    this.last = 0;
    /** What was kept last, of the runs of this visit. */
    this.keptAt = { run: NaN, step: 0 };
    /** Whether this tab is the one that keeps; null until it was asked. @type {Promise<boolean> | null} */
    this.isKeeper = null;
    /** @type {Kept | null} */
    this.offered = null;
    this.host = find("#kept-run");
    find("#kept-go-on").addEventListener("click", () => {
      const run = this.offered;
      this.close();
      if (run) goOn(run);
    });
    for (const selector of ["#kept-discard", "#kept-clear"]) {
      find(selector).addEventListener("click", () => {
        this.close();
        this.clear();
      });
    }
    document.addEventListener("visibilitychange", () => document.hidden && this.ask());
  }

  /** Offers the run of an earlier visit, if the loaded model is its own. */
  async offer(/** @type {string} */ model) {
    const run = await kept();
    if (!run || run.model !== model || this.control.isLive) return;
    this.offered = run;
    const step = Math.max(0, ...run.events.map((event) => ("step" in event ? event.step : 0)));
    const arms = run.plan.settings.arms.map(({ label }) => label).join(", ");
    setText(find("#kept-text"), t("kept-run.offer", { step: count(step), steps: count(run.plan.settings.steps), arms }));
    this.host.hidden = false;
    this.writeSize(run.bytes);
  }

  /** @private */
  close() {
    this.offered = null;
    this.host.hidden = true;
  }

  /** @private */
  async clear() {
    await forget();
    this.writeSize(0);
    say(t("kept-run.cleared"));
  }

  /** @private */
  writeSize(/** @type {number} */ size) {
    setText(find("#kept-size"), size > 0 ? t("kept-run.size", { bytes: bytes(size) }) : t("kept-run.nothing"));
    update(find("#kept-clear"), { hidden: size === 0 });
  }

  /** After an event: asks for the state once every arm has been measured at its step. */
  update() {
    const { store } = this;
    const measured = [...store.arms.keys()].map((arm) => store.log(arm).measures.at(-1)?.step ?? -1);
    const isMeasured = measured.every((step) => step === measured[0]) && measured[0] === store.newest;
    if (isMeasured && (store.isDone || performance.now() > this.last + BETWEEN_MS)) this.ask();
  }

  /** @private */
  ask() {
    const { store, control } = this;
    if (this.isBusy || store.source.kind !== "live" || !control.isLive || control.experiment || !control.running) return;
    if (store.newest === 0 || control.isBusy) return;
    const parameters = store.run?.arms.reduce((sum, arm) => sum + arm.trainable_parameters, 0) ?? 0;
    if (parameters * BYTES_A_PARAMETER > MOST_BYTES) return setText(find("#kept-size"), t("kept-run.too-large"));
    this.isBusy = true;
    this.close();
    this.post({ type: "snapshot" });
  }

  /** Takes the state that was asked for: its events are those that have come by now. */
  async take(/** @type {Extract<import("../contract/types.js").Message, {type: "snapshot"}>} */ { run, bytes: state }) {
    const { store, control } = this;
    const plan = control.running;
    try {
      if (store.run?.run !== run || !plan?.settings || control.experiment || !(await this.mayKeep())) return;
      const { settings, instructions, heldout, probes } = plan;
      const note = { plan: { settings, instructions, heldout, probes }, events: [...store.events], model: store.run.model, bytes: state.length };
      const step = store.newest;
      if (!(await keep(note, /** @type {any} */ (state)))) return setText(find("#kept-size"), t("kept-run.no-place"));
      this.keptAt = { run, step };
      this.writeSize(state.length);
      invalidate();
    } catch (error) {
      setText(find("#kept-size"), t("kept-run.no-room", { reason: /** @type {Error} */ (error).message }));
    } finally {
      this.last = performance.now();
      this.isBusy = false;
    }
  }

  /** From which step the run that is under way could go on after a reload; NaN where it would be lost, null where none is. */
  get stepAfterReload() {
    const { store, control } = this;
    if (!control.isLive || control.state === "done" || store.newest === 0) return null;
    return this.keptAt.run === store.run?.run ? this.keptAt.step : NaN;
  }

  /** @private */
  mayKeep() {
    this.isKeeper ??= new Promise((resolve) => {
      if (!navigator.locks) return resolve(true);
      const asked = navigator.locks.request(LOCK, { ifAvailable: true }, (lock) => {
        resolve(lock !== null);
        if (lock === null) setText(find("#kept-size"), t("kept-run.other-tab"));
        return lock === null ? undefined : new Promise(() => {}); // until the tab is closed
      });
      asked.catch(() => resolve(true)); // the visitor blocks it, and storage with it
    });
    return this.isKeeper;
  }

  /** The engine has failed: no answer comes. */
  stop() {
    this.isBusy = false;
  }
}

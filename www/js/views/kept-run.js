/** Keeps the run that trains, and offers it again after a reload or in another tab. */
import { MOST_KEPT, STATE_BYTES } from "../contract/data.js";
import { eventsUpTo, newestOf } from "../state/arm-states.js";
import { bytesOf, forget, keep, kept } from "../state/kept-run.js";
import { RunLock } from "../state/run-lock.js";
import { say } from "../ui/alerts.js";
import { find, setText, update } from "../ui/dom.js";
import { bytes, count } from "../ui/format.js";
import { invalidate } from "../ui/frame.js";
import { t } from "../ui/text.js";

/**
 * @typedef {import("../state/store.js").Store} Store
 * @typedef {import("../state/store.js").Run} Run
 * @typedef {import("../state/run-control.js").RunControl} RunControl
 * @typedef {import("../state/kept-run.js").Kept} Kept
 */

/** The states of all arms come one after the other: they are written together. */
const TOGETHER_MS = 250;

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
    /** What is being written, and whether there is more by now. @type {Promise<void> | null} */
    this.writing = null;
    this.isStale = false;
    this.lock = new RunLock({ asked: () => this.handOver(), lost: () => this.handedOver() });
    /** What was kept last, of the runs of this visit. @type {{run: Run | null, step: number}} */
    this.keptAt = { run: null, step: 0 };
    /** @type {Kept | null} */
    this.offered = null;
    this.host = find("#kept-run");
    find("#kept-go-on").addEventListener("click", async () => {
      let run = this.offered;
      this.close();
      if (await this.lock.isElsewhere()) {
        await this.lock.takeOver();
        run = (await kept()) ?? run; // as it was left there
      }
      if (run) goOn(run);
    });
    for (const selector of ["#kept-discard", "#kept-clear"]) {
      find(selector).addEventListener("click", () => {
        this.close();
        this.clear();
      });
    }
    document.addEventListener("visibilitychange", () => document.hidden && this.ask());
    addEventListener("pagehide", () => this.ask());
  }

  /** Offers the run of an earlier visit, or of another tab, if the loaded model is its own. */
  async offer(/** @type {string} */ model) {
    const [run, isElsewhere] = await Promise.all([kept(), this.lock.isElsewhere()]);
    if (!run || run.model !== model || this.control.isLive) return;
    this.offered = run;
    const step = Math.max(...run.states.map((state) => state.step));
    const arms = run.plan.settings.arms.map(({ label }) => label).join(", ");
    const said = { step: count(step), steps: count(run.plan.settings.steps), arms };
    setText(find("#kept-text"), isElsewhere ? t("kept-run.elsewhere", said) : t("kept-run.offer", said));
    setText(find("#kept-go-on"), isElsewhere ? t("kept-run.take-over") : t("page.kept-go-on"));
    update(find("#kept-discard"), { hidden: isElsewhere });
    this.host.hidden = false;
    this.writeSize(bytesOf(run));
  }

  /** @private */
  close() {
    this.offered = null;
    this.host.hidden = true;
  }

  /** @private */
  async clear() {
    await this.writing;
    await forget();
    this.writeSize(0);
    say(t("kept-run.cleared"));
  }

  /** @private */
  writeSize(/** @type {number} */ size) {
    setText(find("#kept-size"), size > 0 ? t("kept-run.size", { bytes: bytes(size) }) : t("kept-run.nothing"));
    update(find("#kept-clear"), { hidden: size === 0 });
  }

  /** A run has begun, or goes on. */
  begun(/** @type {Run} */ run) {
    this.close();
    const parameters = run.arms.reduce((sum, arm) => sum + arm.trainable_parameters, 0);
    if (parameters * STATE_BYTES > MOST_KEPT) setText(find("#kept-size"), t("kept-run.too-large"));
  }

  /** Asks for the states of arms that have trained since their last measure. */
  ask() {
    const { store, control } = this;
    if (store.source.kind !== "live" || !control.isLive || control.isExperimenting || control.isBusy) return;
    if (store.newest > 0 && !store.isDone) this.post({ type: "snapshot" });
  }

  /** Takes the state of an arm: what was said of it until then has come. */
  async take(/** @type {Extract<import("../contract/types.js").Message, {type: "snapshot"}>} */ { run: number, arm, step, blobs }) {
    const { store, control } = this;
    const { run } = store;
    if (run?.run !== number || !control.isLive || control.experiment || blobs.length !== 1) return;
    control.states.add(run, arm, step, blobs[0]);
    this.isStale = true;
    this.writing ??= this.write().finally(() => {
      this.writing = null;
    });
    await this.writing;
  }

  /** What the run that is shown goes on from: its newest states. @returns {Kept | null} */
  latest() {
    const { store, control } = this;
    const plan = control.running;
    const newest = store.run && control.states.newest(store.run);
    if (!store.run || !newest || !plan?.settings) return null;
    const { settings, instructions, heldout, probes } = plan;
    const states = control.states.of(store.run);
    const events = eventsUpTo(store.events, newest);
    return { plan: { settings, instructions, heldout, probes }, events, model: store.run.model, states };
  }

  /** Writes until nothing newer has come. @private */
  async write() {
    try {
      if (!(await this.lock.take())) return setText(find("#kept-size"), t("kept-run.other-tab"));
      while (this.isStale) {
        await new Promise((resolve) => setTimeout(resolve, TOGETHER_MS));
        this.isStale = false;
        const latest = this.latest();
        if (!latest) continue;
        const { states, ...note } = latest;
        const size = await keep(note, states);
        if (size === 0) return setText(find("#kept-size"), t("kept-run.no-place"));
        const newest = newestOf(note.plan.settings.arms, states);
        this.keptAt = { run: this.store.run, step: Math.min(...newest.map((state) => state.step)) };
        this.writeSize(size);
        invalidate();
      }
    } catch (error) {
      setText(find("#kept-size"), t("kept-run.no-room", { reason: /** @type {Error} */ (error).message }));
    }
  }

  /** Another tab wants the run: what it has come to is written, and left to that tab. @private */
  async handOver() {
    if (!this.lock.isHere) return;
    const isOpen = this.control.isLive && !this.store.isDone && this.store.newest > 0;
    this.control.pause();
    if (isOpen && !this.control.isExperimenting) {
      this.post({ type: "snapshot" });
      await this.settled();
    }
    await this.writing;
    this.lock.release();
    this.handedOver();
  }

  /** Waits until every arm has a state where it stands, which is when its events have come too. @private */
  async settled() {
    const { store, control } = this;
    for (let tries = 0; tries < 100; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      const newest = store.run && control.states.newest(store.run);
      if (newest?.every(({ arm, step }) => step === (store.log(arm).steps.at(-1)?.step ?? 0))) return;
    }
  }

  /** From which step the run that is under way could go on after a reload; NaN where it would be lost, null where none is. */
  get stepAfterReload() {
    const { store, control } = this;
    if (!control.isLive || control.state === "done" || store.newest === 0) return null;
    return this.keptAt.run === store.run ? this.keptAt.step : NaN;
  }

  /** @private */
  handedOver() {
    this.control.pause();
    say(t("kept-run.handed-over"));
    setText(find("#kept-size"), t("kept-run.other-tab"));
  }
}

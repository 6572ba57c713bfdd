/**
 * Begins again where the engine failed for good: another worker, the same model, and the run from the newest states of its arms.
 *
 * @typedef {import("./contract/types.js").BackendChoice} BackendChoice
 * @typedef {import("./state/kept-run.js").Kept} Kept
 * @typedef {Extract<import("./contract/types.js").Command, {type: "load"}>} Load
 */
import { say } from "./ui/alerts.js";
import { count } from "./ui/format.js";
import { t } from "./ui/text.js";
import { showProgress } from "./views/progress.js";

/** Errors after which the engine computes nothing more. */
const FATAL = ["worker", "device-lost"];

export class Recovery {
  /**
   * @param {import("./engine/crew.js").Crew} engine
   * @param {import("./state/run-control.js").RunControl} control
   * @param {{latest: () => Kept | null, replace: () => void, giveUp: (message: string) => void}} hooks
   *   `replace`: the next run takes the place of the one that is shown; `giveUp`: nothing helps
   */
  constructor(engine, control, hooks) {
    this.engine = engine;
    /** What the engine was loaded with last. @type {Load | null} */
    this.loaded = null;
    this.control = control;
    this.hooks = hooks;
    /** What to resume once the engine is back, and whether it then trains at once. @type {{run: Kept | null, plays: boolean} | null} */
    this.pending = null;
    /** Where the engine failed the last time: a run that fails twice there waits for its visitor. */
    this.last = NaN;
    /** How many times a device was lost: after the second, the run continues on the CPU. */
    this.lost = 0;
    /** Whether the engine that is started is the last one to try. */
    this.isOnCpu = false;
  }

  get isPending() {
    return this.pending !== null;
  }

  /** Loads a model; the same one is loaded when the engine is started again. */
  load(/** @type {Load} */ load) {
    this.loaded = load;
    this.engine.post(load);
  }

  /** The visitor has begun another run. */
  newRun() {
    this.last = NaN;
  }

  /** Whether to recover from an error; after running out of memory in training, a run's buffers can't be trusted. */
  concerns(/** @type {string} */ name) {
    return FATAL.includes(name) || (name === "out-of-memory" && this.control.state === "running");
  }

  /** The engine has failed. */
  async begin(/** @type {string} */ name, /** @type {string} */ message) {
    const { control } = this;
    const step = control.store.newest;
    if (name === "device-lost") this.lost += 1;
    const wantsMore = control.run.kind === "live" && control.run.wants === "play" && !control.experiment;
    this.pending = { run: this.hooks.latest(), plays: wantsMore && name !== "out-of-memory" && step !== this.last };
    this.last = step;
    control.fail();
    control.setMode("loading");
    await this.start(this.lost > 1 ? "cpu" : null, message);
  }

  /** Another error came while the engine was started again: the CPU is left to try. */
  failedAgain(/** @type {string} */ message) {
    if (!this.isOnCpu) return this.start("cpu", message);
    this.pending = null;
    this.hooks.giveUp(message);
  }

  /** @private */
  async start(/** @type {BackendChoice | null} */ backend, /** @type {string} */ message) {
    this.isOnCpu = backend === "cpu";
    const { engine, loaded } = this;
    try {
      if (!loaded) throw new Error(t("engine.not-loaded"));
      engine.stop();
      showProgress(t("page.says.starting"), 0, 0);
      await engine.start();
      engine.post({ ...loaded, backend: backend ?? loaded.backend });
    } catch (error) {
      this.pending = null;
      this.hooks.giveUp(`${message}; ${/** @type {Error} */ (error).message}`);
    }
  }

  /** The engine is there again: the run goes on. */
  ready() {
    const { control, pending } = this;
    this.pending = null;
    if (!pending?.run) return say(t("recovery.ready"));
    this.hooks.replace();
    control.resume(pending.run);
    if (pending.plays) control.play();
    const step = count(Math.max(...pending.run.states.map((state) => state.step)));
    say(pending.plays ? t("recovery.goes-on", { step }) : t("recovery.waits", { step }));
  }
}

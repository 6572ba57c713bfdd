/**
 * What Play, Pause, Step and Reset do: they drive the engine when there is one, else they play back
 * the run that is shown.
 *
 * @typedef {"loading" | "live" | "playback"} Mode
 * @typedef {import("./protocol.js").Message} Message
 * @typedef {{name: string, label: string, done: number, total: number, isOver: boolean}} Experiment
 *   `name`: the preset, or "check" for the counterfactual check of one arm
 */
import { Playback } from "./playback.js";
import { differences } from "./settings.js";

export class RunControl {
  /**
   * @param {import("./store.js").Store} store
   * @param {{post: (command: import("./protocol.js").Command) => void, plan: () => ({settings: import("./settings.js").Settings, instructions: string, heldout: string} | null),
   *   refused: () => void, begun: () => void, changed: () => void, paused: () => void, finished: () => void}} hooks
   *   `plan`: what a new run is made with, null when the form or the instruction set has an error;
   *   `refused`: a run was wanted while there was no plan; `begun`: the engine was asked for one; `finished`: a live or played-back run reached its end
   */
  constructor(store, hooks) {
    this.store = store;
    this.hooks = hooks;
    /** @type {Mode} */
    this.mode = "loading";
    /** @type {"none" | import("./protocol.js").RunState} State of the engine's run. */
    this.state = "none";
    /** The engine's run is (or is about to be) the one shown. */
    this.isLive = false;
    this.isAwaitingRun = false;
    /** The visitor wants it to run; `isConfirmed` once the engine has said that it does. */
    this.isWanted = false;
    this.isConfirmed = false;
    /** @type {ReturnType<RunControl["hooks"]["plan"]>} What the live run was started with. */
    this.current = null;
    /** @type {ReturnType<RunControl["hooks"]["plan"]>} What the run that is being prepared was started with. */
    this.pending = null;
    /** @type {Experiment | null} What the engine's run is part of. */
    this.experiment = null;
    this.engine = "";
    this.playback = new Playback(store, (isPlaying, isAtEnd) => {
      if (isAtEnd) hooks.finished();
      hooks.changed();
    });
  }

  get isRunning() {
    return this.playback.isPlaying || (this.isLive && this.isWanted);
  }

  get isBusy() {
    return this.isLive && this.state === "preparing";
  }

  /** Whether Play and Step train. An opened file is played back; Reset leaves it for a live run. */
  get usesEngine() {
    return this.mode === "live" && (this.isLive || this.store.source.kind !== "imported");
  }

  setMode(/** @type {Mode} */ mode, engine = "") {
    this.mode = mode;
    this.engine = engine;
    if (mode === "playback") {
      this.isLive = false;
      this.state = "none";
    }
    this.hooks.changed();
  }

  play() {
    const isOver = this.isLive && this.state === "done";
    if (!this.usesEngine || (isOver && !this.isChanged())) return this.playback.play();
    this.playback.pause();
    if ((!this.isLive || isOver) && !this.begin()) return;
    this.store.pin(null);
    this.isWanted = true;
    this.isConfirmed = false;
    this.hooks.post({ type: "play" });
    this.hooks.changed();
  }

  pause() {
    if (this.playback.isPlaying) {
      this.playback.pause();
      this.hooks.paused();
    }
    if (!this.isLive || !this.isWanted) return;
    this.isWanted = false;
    this.hooks.post({ type: "pause" });
    this.hooks.changed();
  }

  /** Trains `count` steps of all arms, or moves the slider that far in a recorded run. */
  step(count, arm = null) {
    if (this.isExperimenting) return;
    this.pause();
    if (!this.usesEngine) return this.store.pin(this.store.step + count);
    if (this.isLive && this.state === "done") return;
    if (!this.isLive && !this.begin()) return;
    this.store.pin(null);
    this.hooks.post({ type: "step", count, arm });
  }

  /** Back to step 0 with the seed and the settings of the form. */
  reset() {
    this.pause();
    if (this.mode === "live") this.begin();
    else this.store.pin(0);
    this.hooks.changed();
  }

  /** Leaves the engine's run, because another one is shown. */
  leave() {
    this.pause();
    this.isLive = false;
    this.isAwaitingRun = false;
    this.current = this.pending = this.experiment = null;
    this.hooks.changed();
  }

  /** What the live run was made with; null without one, and in an experiment, which has settings of its own. */
  get running() {
    return this.isLive && !this.experiment ? (this.pending ?? this.current) : null;
  }

  /** Whether an experiment goes on, or waits to. */
  get isExperimenting() {
    return this.isLive && this.experiment !== null && !this.experiment.isOver;
  }

  /** Whether the form asks for another run than the one that is shown live. */
  isChanged() {
    const { running } = this;
    const plan = running && this.hooks.plan();
    if (!plan) return false;
    return differences(plan.settings, running.settings).length > 0 || plan.instructions !== running.instructions;
  }

  /**
   * Starts all runs of a preset.
   * @param {string} preset
   * @param {number} seeds
   * @param {{instructions: string, heldout: string}} texts
   */
  experimentWith(preset, seeds, texts) {
    this.beginExperiment(preset, texts);
    this.hooks.post({ type: "experiment", preset, seeds, ...texts });
    this.hooks.changed();
  }

  /** Whether the borrowed answers of the shown run can be checked: it trained here to its end, and is no check itself. */
  get canCheck() {
    const { run } = this.store;
    return this.isLive && this.state === "done" && run !== null && !(run.settings.swaps?.length > 0);
  }

  /** Trains an arm again with other objects in the source rows of its borrowed answers. */
  check(/** @type {import("./protocol.js").ArmName} */ arm) {
    if (!this.canCheck) return;
    this.beginExperiment("check", this.current);
    this.hooks.post({ type: "counterfactual", arm });
    this.hooks.changed();
  }

  /** @private */
  beginExperiment(name, { instructions, heldout }) {
    this.playback.pause();
    this.store.pin(null);
    this.pending = { settings: this.store.run?.settings ?? null, instructions, heldout };
    this.experiment = { name, label: "", done: 0, total: 0, isOver: false };
    this.isLive = true;
    this.isAwaitingRun = true;
    this.isWanted = true;
    this.isConfirmed = false;
    this.state = "preparing";
  }

  /** Starts a run in the engine. @private */
  begin() {
    const plan = this.hooks.plan();
    if (!plan) {
      this.hooks.refused();
      return false;
    }
    this.pending = { ...plan };
    this.experiment = null;
    this.isLive = true;
    this.isConfirmed = false;
    this.isAwaitingRun = true;
    this.state = "preparing";
    this.hooks.post({ type: "start", ...plan });
    this.hooks.begun();
    this.hooks.changed();
    return true;
  }

  /** Takes the worker's events and states. */
  receive(/** @type {Message} */ message) {
    if (message.type === "state" && this.isLive) this.takeState(message.state);
    if (message.type === "event" && this.isLive) this.takeEvent(message.event);
    if (message.type === "experiment" && this.isExperimenting) this.takeExperiment(message);
  }

  /** @private */
  takeExperiment({ label, done, total }) {
    const isOver = label === "" && done === total;
    this.experiment = { ...this.experiment, label, done, total, isOver };
    this.hooks.changed();
  }

  /** @private */
  takeState(state) {
    const wasRunning = this.state === "running";
    this.state = state;
    if (state === "paused" && wasRunning) this.hooks.paused();
    if (state === "running") this.isConfirmed = true;
    if (state === "done" || (state === "paused" && this.isConfirmed)) this.isWanted = false;
    if (state === "done") this.hooks.finished();
    this.hooks.changed();
  }

  /** @private */
  takeEvent(event) {
    if (event.type === "run" && this.isAwaitingRun) {
      this.isAwaitingRun = false;
      this.current = this.pending;
      this.pending = null;
      this.store.startLive(event, this.engine, this.current.instructions);
    } else if (!this.isAwaitingRun) {
      this.store.apply(event);
    }
  }

  /** The engine has failed: what was recorded stays on the page. */
  fail() {
    if (!this.isLive) return;
    this.isAwaitingRun = false;
    this.isWanted = false;
    this.pending = null;
    if (this.experiment) this.experiment.isOver = true;
    this.state = this.store.source.kind === "live" ? "paused" : "none";
    this.isLive = this.state === "paused";
    this.hooks.changed();
  }
}

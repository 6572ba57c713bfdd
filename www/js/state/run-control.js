/**
 * What Play, Pause, Step and Reset do: they drive the engine when there is one, otherwise they play back the run that is
 * shown.
 *
 * @typedef {"loading" | "live" | "playback"} Mode
 * @typedef {import("../contract/types.js").Message} Message
 * @typedef {import("./run-state.js").Plan} Plan
 * @typedef {import("./run-state.js").Texts} Texts
 * @typedef {Plan & {settings: import("./settings.js").Settings}} RunPlan
 * @typedef {{events: import("../contract/types.js").RunEvent[], states: import("./arm-states.js").ArmState[]}} Earlier
 */
import { ArmStates, eventsUpTo, newestOf } from "./arm-states.js";
import { Playback } from "./playback.js";
import { NONE, advanced, arrived, begun, failed, phased, wanted } from "./run-state.js";
import { differences } from "./settings.js";

/** @type {Earlier} */
const NOTHING = { events: [], states: [] };

/** Time to look between two steps when they are taken slowly, milliseconds. */
const SLOW_MS = 900;

export class RunControl {
  /**
   * @param {import("./store.js").Store} store
   * @param {{post: (command: import("../contract/types.js").Command) => void, plan: () => RunPlan | null,
   *   refused: () => void, begun: () => void, changed: () => void, paused: () => void, finished: () => void}} hooks
   *   `plan`: what a new run is made with, null when the form or the instruction set has an error;
   *   `refused`: a run was wanted while there was no plan; `begun`: the engine was asked for one; `finished`: a live or
   *   played-back run reached its end
   */
  constructor(store, hooks) {
    this.store = store;
    this.hooks = hooks;
    /** @type {Mode} */
    this.mode = "loading";
    /** @type {import("./run-state.js").Run} */
    this.run = NONE;
    this.engine = "";
    /** Whether Play takes one step at a time. */
    this.isSlow = false;
    /** Whether it does so now. */
    this.isStepping = false;
    /** What the arms had come to when they were measured. */
    this.states = new ArmStates();
    /** What was said of the run that is resumed, until it is there, and its states. @type {Earlier} */
    this.earlier = NOTHING;
    this.playback = new Playback(store, (_, isAtEnd) => {
      if (isAtEnd) hooks.finished();
      hooks.changed();
    });
  }

  /** The engine's run is, or is about to be, the one shown. */
  get isLive() {
    return this.run.kind === "live";
  }

  /** State of the engine's run. */
  get state() {
    return this.run.kind === "live" ? this.run.phase : "none";
  }

  /** What the engine's run is part of. */
  get experiment() {
    return this.run.kind === "live" ? this.run.experiment : null;
  }

  get isRunning() {
    return this.playback.isPlaying || this.isStepping || (this.run.kind === "live" && this.run.wants === "play");
  }

  get isBusy() {
    return this.state === "preparing";
  }

  /** Whether Play and Step train. An opened file, or an earlier run, is played back; Reset leaves it for a live run. */
  get usesEngine() {
    const { kind } = this.store.source;
    return this.mode === "live" && (this.isLive || (kind !== "imported" && kind !== "kept"));
  }

  setMode(/** @type {Mode} */ mode, engine = "") {
    this.mode = mode;
    this.engine = engine;
    if (mode === "playback") this.run = NONE;
    this.hooks.changed();
  }

  play() {
    const isOver = this.state === "done";
    if (!this.usesEngine || (isOver && !this.isChanged())) return this.playback.play();
    this.playback.pause();
    if ((!this.isLive || isOver) && !this.begin()) return;
    this.store.pin(null);
    if (this.isSlow && !this.isExperimenting) {
      this.isStepping = true;
      this.hooks.post({ type: "step", count: 1, arm: null });
    } else {
      this.run = wanted(this.run, "play");
      this.hooks.post({ type: "play" });
    }
    this.hooks.changed();
  }

  /** Plays what is shown again, without training. */
  playRecorded() {
    this.pause();
    this.playback.play();
  }

  /** Takes one step at a time from now on, or as many as there are. */
  setSlow(/** @type {boolean} */ isSlow) {
    const wasRunning = this.isRunning && !this.isExperimenting;
    this.isSlow = this.playback.isSlow = isSlow;
    if (wasRunning && !this.playback.isPlaying) {
      this.pause();
      this.play();
    }
    this.hooks.changed();
  }

  /** The next of slow steps, after a while. @private */
  stepLater() {
    setTimeout(() => {
      if (this.isStepping) this.hooks.post({ type: "step", count: 1, arm: null });
    }, SLOW_MS);
  }

  pause() {
    if (this.playback.isPlaying) {
      this.playback.pause();
      this.hooks.paused();
    }
    const wasStepping = this.isStepping;
    this.isStepping = false;
    if (wasStepping) this.hooks.changed();
    if (this.run.kind === "none" || this.run.wants === "pause") return;
    this.run = wanted(this.run, "pause");
    this.hooks.post({ type: "pause" });
    this.hooks.changed();
  }

  /** Trains `count` steps of all arms, or moves the slider that far in a recorded run. */
  step(/** @type {number} */ count, /** @type {string | null} */ arm = null) {
    if (this.isExperimenting) return;
    this.pause();
    if (!this.usesEngine) return this.store.pin(this.store.step + count);
    if (this.state === "done") return;
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
    this.run = NONE;
    this.hooks.changed();
  }

  /** What the live run was made with; null without one, and in an experiment, which has settings of its own. */
  get running() {
    if (this.run.kind === "none" || this.run.experiment) return null;
    return this.run.next ?? this.run.shown;
  }

  /** Ends an experiment; the run that is shown stays. */
  cancel() {
    if (this.isExperimenting) this.leave();
  }

  /** Whether an experiment goes on, or waits to. */
  get isExperimenting() {
    return this.experiment !== null && !this.experiment.isOver;
  }

  /** Whether the form asks for another run than the one that is shown live. */
  isChanged() {
    const { running } = this;
    const plan = running && this.hooks.plan();
    if (!plan || !running.settings) return false;
    const isOther = plan.instructions !== running.instructions || plan.probes !== running.probes;
    return isOther || differences(plan.settings, running.settings).length > 0;
  }

  /**
   * Starts all runs of a preset.
   * @param {string} preset
   * @param {number} seeds
   * @param {Texts} texts
   */
  experimentWith(preset, seeds, texts) {
    this.beginExperiment(preset, texts);
    this.hooks.post({ type: "experiment", preset, seeds, ...texts });
    this.hooks.changed();
  }

  /** Whether the borrowed answers of the shown run can be checked: it trained here to its end, and is no check itself. */
  get canCheck() {
    const { run } = this.store;
    return this.state === "done" && run !== null && run.settings.swaps.length === 0;
  }

  /** Trains an arm again with other objects in the source rows of its borrowed answers. */
  check(/** @type {string} */ arm) {
    if (!this.canCheck || this.run.kind === "none" || !this.run.shown) return;
    this.beginExperiment("check", this.run.shown);
    this.hooks.post({ type: "counterfactual", arm });
    this.hooks.changed();
  }

  /** @private */
  beginExperiment(/** @type {string} */ name, /** @type {Texts} */ { instructions, heldout, probes }) {
    this.playback.pause();
    this.store.pin(null);
    const plan = { settings: this.store.run?.settings ?? null, instructions, heldout, probes };
    this.run = begun(this.run, plan, "play", { name, label: "", done: 0, total: 0, since: NaN, isOver: false });
  }

  /** Starts a run in the engine. @private */
  begin() {
    const plan = this.hooks.plan();
    if (!plan) {
      this.hooks.refused();
      return false;
    }
    this.run = begun(this.run, plan, "pause");
    this.hooks.post({ type: "start", ...plan });
    this.hooks.begun();
    this.hooks.changed();
    return true;
  }

  /**
   * Goes on with a run where the newest states of its arms are; `fork`, where the settings are not what it was trained with. A run
   * that was a fork stays one.
   * @param {{plan: RunPlan} & Earlier} from
   * @param {import("../contract/types.js").Fork | null} fork
   */
  resume({ plan, events, states }, fork = null) {
    this.playback.pause();
    this.store.pin(null);
    this.run = begun(this.run, plan, "pause");
    const newest = newestOf(plan.settings.arms, states);
    const [earlier] = events.flatMap((event) => (event.type === "run" ? [event.fork ?? null] : []));
    this.earlier = { events: eventsUpTo(events, newest), states };
    this.hooks.post({ type: "resume", ...plan, fork: fork ?? earlier ?? null, blobs: newest.map(({ blob }) => blob) });
    this.hooks.changed();
  }

  /** The last measured step, at most the one that is shown, from which another run can go on; null where there is none. */
  get forkStep() {
    const { mode, isBusy, isExperimenting, store } = this;
    return mode !== "live" || isBusy || isExperimenting ? null : this.states.stepUpTo(store.run, store.step);
  }

  /** Goes on from there with what the form asks for, as a run beside the one that is shown. */
  fork() {
    const { forkStep: step, store } = this;
    const plan = this.hooks.plan();
    if (!plan) return this.hooks.refused();
    if (step === null || !store.run) return;
    this.pause();
    const states = this.states.of(store.run).filter((state) => state.step <= step);
    this.resume({ plan, events: store.events, states }, { step, settings: store.run.settings });
  }

  /** Takes the worker's events and states. */
  receive(/** @type {Message} */ message) {
    if (!this.isLive) return;
    if (message.type === "state") this.takeState(message.state);
    if (message.type === "event") this.takeEvent(message.event);
    if (message.type === "experiment" && this.isExperimenting) {
      this.run = advanced(this.run, message, performance.now());
      this.hooks.changed();
    }
  }

  /** @private */
  takeState(/** @type {import("../contract/types.js").RunState} */ state) {
    const wasRunning = this.state === "running";
    this.run = phased(this.run, state);
    if (state === "paused" && this.isStepping) this.stepLater();
    else if (state === "paused" && wasRunning) this.hooks.paused();
    if (state === "done") {
      this.isStepping = false;
      this.hooks.finished();
    }
    this.hooks.changed();
  }

  /** @private */
  takeEvent(/** @type {import("../contract/types.js").RunEvent} */ event) {
    const next = this.run.kind === "live" ? this.run.next : null;
    if (event.type === "run" && next) {
      this.run = arrived(this.run);
      const { events, states } = this.earlier;
      this.earlier = NOTHING;
      for (const state of states) this.states.hold(event, state);
      this.store.startLive(event, this.engine, next.instructions, events);
    } else if (!next) {
      this.store.apply(event);
    }
  }

  /** The engine has failed: what was recorded stays on the page. */
  fail() {
    this.isStepping = false;
    this.earlier = NOTHING;
    if (!this.isLive) return;
    this.run = failed(this.run, this.store.source.kind === "live");
    this.hooks.changed();
  }
}

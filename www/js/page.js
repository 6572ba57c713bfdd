/** The page's moving parts: one store, the engine's client, the control between them, and what it says. */
import { Crew } from "./engine/crew.js";
import { AS_IT_IS, fetchData, fetchModel, fetchText } from "./engine/engine.js";
import { recall } from "./engine/remembered.js";
import { workersIn } from "./engine/shares.js";
import { verdictOf } from "./state/comparisons.js";
import { metricOf } from "./state/metrics.js";
import { RunControl } from "./state/run-control.js";
import { Recovery } from "./recovery.js";
import { Runs } from "./state/runs.js";
import { readHash, writeHash } from "./state/hash.js";
import { SHIPPED_SETS } from "./state/shipped-sets.js";
import { Store } from "./state/store.js";
import { clearErrors, say, showError } from "./ui/alerts.js";
import { find, update } from "./ui/dom.js";
import { tell } from "./ui/embedded.js";
import { quoting } from "./ui/english.js";
import { modelName } from "./ui/format.js";
import { invalidate, setBusy } from "./ui/frame.js";
import { t, textOr } from "./ui/text.js";
import { Adapters } from "./views/adapters.js";
import { Ask } from "./views/ask.js";
import { makeClassView } from "./views/class-view.js";
import { Drawers } from "./views/drawers.js";
import { InstructionsEditor } from "./views/instructions-editor.js";
import { KeptRunView } from "./views/kept-run.js";
import { LessonView } from "./views/lesson.js";
import { showEngine } from "./views/machine.js";
import { ModelPicker } from "./views/model-picker.js";
import { Prediction } from "./views/predict.js";
import { ProbesEditor } from "./views/probes-editor.js";
import { MODEL_STAGE, hideProgress, showProgress, takeProgress } from "./views/progress.js";
import { ArmFiles } from "./views/save-arm.js";
import { openRecorded } from "./views/recorded.js";
import { SettingsForm } from "./views/settings-form.js";
import { Stage } from "./views/stage.js";
import { Milestones, recallSentence } from "./views/status.js";
import { makeStrength } from "./views/strength.js";
import { checkSentence } from "./views/summary-data.js";

/**
 * @typedef {import("./contract/types.js").Message} Message
 * @typedef {import("./contract/types.js").BackendChoice} BackendChoice
 */

/** Reduced settings for measuring a larger model. */
const FEW = { probes: 24, asked: 8, shift_prompts: 4, answer_len: 24, samples: 8, measure_every: 20 };

export class Page {
  constructor() {
    const link = readHash(location.hash);
    this.store = new Store();
    this.backend = /** @type {BackendChoice} */ (link.backend);
    this.parameters = NaN;
    /** The models that were loaded, by what the engine calls them: the page's own is the first. @type {string[]} */
    this.loaded = [];
    /** @type {Awaited<ReturnType<typeof fetchData>> | null} */
    this.data = null;
    this.engine = new Crew(
      (message) => this.receive(message),
      (isSilent) => this.silent(isSilent),
      { workers: workersIn(location.search) },
    );
    this.runs = new Runs(this.store);
    const post = (/** @type {import("./contract/types.js").Command} */ command) => this.engine.post(command);
    this.control = new RunControl(this.store, {
      post,
      plan: () => this.plan(),
      refused: () => this.refused(),
      begun: () => {
        this.recovery.newRun();
        say(t("page.says.preparing")); // the engine may still be trying its kernels
      },
      changed: () => this.controlChanged(),
      paused: () => say(t("page.says.paused", { step: this.store.step, known: recallSentence(this.store) })),
      finished: () => this.finished(),
    });
    this.form = new SettingsForm(link.settings, link.muted, () => this.settingsChanged());
    this.drawers = new Drawers();
    this.stage = new Stage();
    this.classView = makeClassView(link.hidden, () => this.settingsChanged(), (names) => this.drawers.leaveOut(names));
    this.editor = new InstructionsEditor({ changed: () => this.instructionsChanged(), fetchText, post });
    this.probes = new ProbesEditor({ changed: () => invalidate(), post });
    /** Made once the views are there. @type {LessonView | null} */
    this.lesson = null;
    /** Id of the shipped set that is being edited, "" for any other set. */
    this.set = link.set;
    this.editor.setMaxLen(link.settings.max_len);
    this.prediction = new Prediction(this.store, () => this.store.run?.settings.arms ?? this.form.settings.arms);
    this.ask = new Ask(this.store, post);
    this.adapters = new Adapters(this.form, this.store, post);
    this.files = new ArmFiles((arm) => `${arm}-seed${this.store.run?.settings.seed ?? 0}-step${this.store.newest}`, post);
    this.models = new ModelPicker({
      inspect: ({ blobs, ...model }) => post({ type: "inspect", model, blobs, settings: this.form.wanted }),
      load: (chosen, way) => this.loadModel(chosen, way),
      progress: (done, total) => showProgress(MODEL_STAGE, done, total),
      probes: () => this.form.wanted.probes,
      measureLess: () => {
        this.form.set({ ...this.form.wanted, ...FEW }, this.form.muted);
        this.settingsChanged();
      },
      settled: () => hideProgress(),
    });
    this.milestones = new Milestones(this.store);
    this.kept = new KeptRunView(this.store, this.control, post, (run) => this.goOn(run));
    this.recovery = new Recovery(this.engine, this.control, {
      latest: () => this.kept.latest(),
      replace: () => this.runs.replace(),
      giveUp: (message) => this.playbackOnly(quoting("page.says.playback-said", message)),
    });
    this.strength = makeStrength(this.control, post);
    this.store.mute(link.muted);
    this.reportIgnored(link.ignored);
  }

  /** Opens the lesson, which acts on the views. */
  openLesson(/** @type {import("./views/walls.js").Walls} */ walls, /** @type {Promise<void>} */ isShown) {
    const { store, control, stage, drawers } = this;
    const open = (/** @type {string} */ record) => openRecorded(store, control, record);
    const settings = (/** @type {string} */ link) => this.takeLink(`#v=2&${link}`);
    const changed = () => {
      this.settingsChanged();
      const { lesson } = this;
      if (lesson?.lesson) tell({ type: "lesson", step: lesson.at + 1, steps: lesson.lesson.steps.length });
    };
    const page = { store, control, stage, drawers, walls, open, settings, changed };
    this.lesson = new LessonView(page, readHash(location.hash).lesson);
    this.lesson.load(new URLSearchParams(location.search).get("lesson"), isShown);
  }

  /** @private */
  reportIgnored(/** @type {string[]} */ ignored) {
    clearErrors("address");
    if (ignored.length > 0) showError("address", ignored.slice(0, 5).join(", ").slice(0, 200));
  }

  /** Whether a visitor's model is loaded. */
  get isOwnModel() {
    return this.loaded.at(-1) !== this.loaded[0];
  }

  /** What a new run would be made with. */
  plan() {
    this.probes.flush();
    const texts = this.texts();
    return texts && !this.probes.error ? { ...texts, settings: this.form.wanted, probes: this.probes.inUse } : null;
  }

  /** What it would be trained on. @private */
  texts() {
    this.editor.flush();
    if (!this.data || this.editor.error) return null;
    return { instructions: this.editor.text, heldout: this.data.heldout };
  }

  refused() {
    if (this.probes.error && this.texts()) return showError("probes", this.probes.error);
    showError("instructions", this.editor.error || t("page.says.no-data"));
  }

  /** Marks where a new run would differ from the one that is shown live. */
  markChanges() {
    const { running } = this.control;
    const isChanged = this.form.mark(running?.settings ?? null).length > 0;
    const isOtherSet = running !== null && this.editor.text !== running.instructions;
    const areOtherProbes = running !== null && this.probes.inUse !== running.probes;
    update(find("#instructions-restart"), { hidden: !isOtherSet });
    update(find("#probes-restart"), { hidden: !areOtherProbes });
    update(find("#restart-note"), { hidden: !isChanged && !isOtherSet && !areOtherProbes });
  }

  /** What the address holds: the settings, the arms that are muted, the engine, the set and the hidden parts. */
  hash() {
    const { settings, muted } = this.form;
    const hidden = this.classView.hidden();
    return writeHash(settings, { muted, backend: this.backend, hidden, set: this.set, lesson: this.lesson?.place ?? 0 });
  }

  settingsChanged() {
    history.replaceState(null, "", this.hash() || location.pathname + location.search);
    this.store.mute(this.form.muted);
    this.editor.setMaxLen(this.form.settings.max_len);
    invalidate();
  }

  /** Another instruction set, or other rows. */
  instructionsChanged() {
    const { set } = this.editor;
    const isOther = set !== (this.set || SHIPPED_SETS[0].id);
    this.set = set;
    if (isOther) this.settingsChanged();
    else invalidate();
  }

  /** The address has changed. */
  readAddress() {
    this.takeLink(location.hash);
  }

  /** Takes what a link holds. */
  takeLink(/** @type {string} */ hash) {
    const { settings, muted, hidden, set, lesson, ignored } = readHash(hash);
    this.reportIgnored(ignored);
    if (lesson > 0 && lesson !== this.lesson?.place) this.lesson?.turn(lesson - 1);
    if (lesson > 0 && !hash.includes("v=")) return;
    this.classView.hide(hidden);
    const wanted = set || (this.set && SHIPPED_SETS[0].id); // rows of one's own stay
    if (wanted !== this.set) this.editor.choose(wanted);
    this.form.set(settings, muted);
  }

  controlChanged() {
    // For style sheets and tests: none, preparing, paused, running, done, or playing back.
    const state = this.control.playback.isPlaying ? "playing" : this.control.state;
    if (document.documentElement.dataset.run !== state) tell({ type: "state", state, step: this.store.newest });
    document.documentElement.dataset.run = state;
    invalidate();
    setBusy(this.control.isRunning || this.control.isBusy);
  }

  finished() {
    this.prediction.reveal();
    const { experiment } = this.control;
    const { store } = this;
    if (experiment?.name === "check") {
      const found = store.checks.map((check) => checkSentence(check, store.label(check.arm)));
      return say(t("page.says.check-ended", { found: found.join(" ") }));
    }
    if (experiment) return say(t("page.says.experiment-ended", { verdict: store.summary ? verdictOf(store.summary) : "" }));
    say(t("page.says.run-ended", { known: recallSentence(store, store.newest) }));
  }

  /** Takes every message of the worker. */
  receive(/** @type {Message} */ message) {
    if (message.type === "ready") return this.ready(message);
    if (message.type === "progress") return takeProgress(message);
    if (message.type === "tokens") return this.editor.counts.receive(message);
    if (message.type === "probed") return this.probes.answers.receive(message);
    if (message.type === "answering") return this.ask.write(message);
    if (message.type === "answer") return this.ask.receive(message);
    if (message.type === "asked") return this.ask.end(message.id);
    if (message.type === "inspected") return this.models.inspected(message.model);
    if (message.type === "refused") return this.refusedModel(message.message);
    if (message.type === "part") return this.files.take(message);
    if (message.type === "snapshot") return this.kept.take(message);
    if (message.type === "saved") return this.files.finish(message);
    if (message.type === "adapters") return this.adapters.held(message.adapters);
    if (message.type === "adapter_refused") return this.adapters.refused(message.message);
    if (message.type === "error") return this.failed(message.name, message.message);
    if (message.type === "state" && message.state !== "preparing") hideProgress();
    this.control.receive(message);
    if (message.type !== "event") return;
    const { run } = this.store;
    const { event } = message;
    if (event.type === "step") return; // of which there are many
    if (event.type === "measure") {
      const { arm, step, heldout_loss, shift } = event;
      tell({ type: "measure", arm, step, heldout_loss, kl: shift.kl, recall_cloze: metricOf("recall_cloze", event) });
    }
    if (run !== null && run === event) {
      this.kept.begun(run);
      say(t("page.says.new-run", { seed: String(run.settings.seed) }));
    }
    this.milestones.update();
  }

  /** @private */
  ready(/** @type {Extract<Message, {type: "ready"}>} */ message) {
    this.parameters = message.parameters;
    this.loaded.push(message.model);
    document.documentElement.dataset.engine = message.engine;
    const { name, values, english } = message.reason;
    const reason = textOr(`reason.${name}`, english, values);
    showEngine({ ...message, reason: [reason] });
    hideProgress();
    this.editor.countWith("ready");
    this.probes.answers.use("ready");
    this.engine.post({ type: "warm_up", settings: this.form.wanted });
    this.control.setMode("live", message.engine === "webgpu" ? `webgpu: ${message.adapter}` : "cpu");
    this.models.loaded(message.model);
    tell({ type: "ready", engine: message.engine });
    const isAgain = this.recovery.isPending;
    this.adapters.begin(message.adapter_bytes, isAgain);
    if (isAgain) return this.recovery.ready();
    this.kept.offer(message.model);
    say(t("page.says.ready", { model: modelName(message.model), reason }));
  }

  /** Puts another model in the place of the one that is loaded; the run that is shown stays until the next one begins. */
  async loadModel(
    /** @type {import("./models/files.js").Chosen} */ { blobs, ...model },
    /** @type {import("./contract/types.js").Way} */ { weights, checkpoint },
  ) {
    if (!this.data) return;
    this.control.leave();
    showProgress(t("page.says.loading", { model: model.name }), 0, 0);
    const { facts } = this.data;
    const found = await recall("found");
    this.recovery.load({ type: "load", backend: this.backend, model, blobs, weights, checkpoint, facts, found });
  }

  /** The engine has not answered for a while, or it does again. @private */
  silent(/** @type {boolean} */ isSilent) {
    clearErrors("silent");
    if (!isSilent) return;
    const run = () => this.failed("worker", t("engine.stopped"));
    showError("silent", t("engine.silent"), "", { label: t("engine.start-again"), run });
  }

  /** @private */
  refusedModel(/** @type {string} */ message) {
    hideProgress();
    this.models.refused(message);
  }

  /** @private */
  failed(/** @type {string} */ name, /** @type {string} */ message) {
    hideProgress();
    if (this.recovery.isPending) return this.recovery.failedAgain(message);
    if (this.control.mode === "loading") return this.playbackOnly(quoting("page.says.playback-said", message));
    showError(name, "", message);
    this.strength.stop();
    this.files.stop();
    this.ask.end();
    if (this.recovery.concerns(name)) this.recovery.begin(name, message);
    else this.control.fail();
  }

  /** The engine cannot run: the recorded run stays, and everything that reads it works. @private */
  playbackOnly(/** @type {(string | Node)[]} */ reason) {
    document.documentElement.dataset.engine = "playback";
    showEngine({ engine: "playback", adapter: "", reason, model: "", parameters: NaN, memory: NaN });
    hideProgress();
    this.editor.countWith("absent");
    this.probes.answers.use("absent");
    this.control.setMode("playback");
    say(t("page.says.playback"));
  }

  async startEngine() {
    const loaded = fetchData();
    const edited = loaded.then(async (data) => {
      this.data = data;
      await this.editor.load(data.instructions, this.set);
    });
    edited.catch(() => {}); // awaited below, after the worker
    try {
      showProgress(t("page.says.starting"), 0, 0);
      const fetched = fetchModel((done, total) => showProgress(MODEL_STAGE, done, total));
      fetched.catch(() => {}); // awaited below too
      await this.engine.start();
      const model = await fetched;
      await edited;
      showProgress(t("page.says.preparing-engine"), 0, 0);
      this.recovery.load({ type: "load", backend: this.backend, ...model, ...AS_IT_IS, facts: (await loaded).facts });
    } catch (error) {
      this.playbackOnly([t("page.says.playback-reason", { reason: /** @type {Error} */ (error).message })]);
    }
  }

  /** Goes on with a run of an earlier visit, and shows its settings. */
  goOn(/** @type {import("./state/kept-run.js").Kept} */ run) {
    this.control.leave();
    this.form.set(run.plan.settings, []);
    this.control.resume(run);
    say(t("page.goes-on"));
  }

  /** Starts an experiment in the engine, with its own data whatever the visitor's is. */
  async runFinding(
    /** @type {import("./contract/types.js").PresetData} */ { name, title, data },
    /** @type {number} */ seeds,
  ) {
    clearErrors("download");
    try {
      if (!this.data) throw new Error(t("page.says.no-data-yet"));
      const { instructions: usual, heldout } = this.data;
      this.control.experimentWith(name, seeds, {
        instructions: data ? await fetchText(data) : usual,
        heldout,
        probes: "", // it is about the built-in facts
      });
      say(t("page.says.experiment-starts", { title: textOr(`preset.${name}.title`, title) }));
    } catch (error) {
      showError("download", /** @type {Error} */ (error).message);
    }
  }

  chooseBackend(/** @type {BackendChoice} */ backend) {
    this.backend = backend;
    this.settingsChanged();
    location.reload();
  }
}

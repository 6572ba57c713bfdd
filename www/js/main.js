/** Puts the page together: one store, the views that read it, the controls, and the engine behind them. */
import { say, showError } from "./alerts.js";
import { Ask } from "./ask.js";
import { makeCharts } from "./charts.js";
import { checkButton, makeChecks } from "./checks.js";
import { makeClassView } from "./class-view.js";
import { makeControlBar } from "./control-bar.js";
import { download, find, findAll, setText, update } from "./dom.js";
import { Engine, fetchData, fetchModel, fetchText } from "./engine.js";
import { FINDINGS } from "./findings-list.js";
import { makeFindings } from "./findings.js";
import { enableFileTools, makeFileTools } from "./files.js";
import { bytes, count } from "./format.js";
import { addView, invalidate, setBusy } from "./frame.js";
import { readHash, writeHash } from "./hash.js";
import { InstructionsEditor } from "./instructions-editor.js";
import { LineError, parseInstructions } from "./instructions.js";
import { listenToKeys } from "./keyboard.js";
import { makeKlBars } from "./kl-bars.js";
import { makeArmTable, showEngine } from "./machine.js";
import { keepOffline } from "./offline.js";
import { Prediction } from "./predict.js";
import { parseRecord } from "./record.js";
import { RunControl } from "./run-control.js";
import { SettingsForm } from "./settings-form.js";
import { ShiftTextView } from "./shift-text.js";
import { Milestones, recallSentence } from "./status.js";
import { Store } from "./store.js";
import { makeShiftClasses } from "./shift-classes.js";
import { checkSentence } from "./summary-data.js";
import { makeSummary } from "./summary.js";
import { onThemeChange } from "./theme.js";
import { makeTradeOff } from "./trade-off.js";
import { Walls } from "./walls.js";
import { makeStrength, makeWeights } from "./weights.js";

/** The record that is shown first. */
const FIRST = "lora-vs-full";

const store = new Store();
const start = readHash(location.hash);
/** @type {any} */
let backend = start.backend;
let parameters = 0;
/** @type {{facts: string, instructions: string, heldout: string} | null} */
let data = null;

const engine = new Engine(receive);
const control = new RunControl(store, {
  post: (command) => engine.post(command),
  plan,
  refused: () => showError("instructions", editor.error || "the data is not loaded yet"),
  begun: () => say("Preparing a run."), // the engine may still be trying its kernels
  changed: controlChanged,
  paused,
  finished,
});
const form = new SettingsForm(start.settings, settingsChanged);
const classView = makeClassView(start.hidden, settingsChanged);
const editor = new InstructionsEditor(() => invalidate());
const prediction = new Prediction(store);
const ask = new Ask((command) => engine.post(command));
const milestones = new Milestones(store);
const strength = makeStrength(control, (arm, value) => engine.post({ type: "strength", arm, strength: value }));

function controlChanged() {
  // For style sheets and tests: none, preparing, paused, running, done, or playing back.
  document.documentElement.dataset.run = control.playback.isPlaying ? "playing" : control.state;
  invalidate();
  setBusy(control.isRunning || control.isBusy);
}

/** What a new run would be made with. */
function plan() {
  editor.flush();
  if (!data || editor.error) return null;
  return { settings: form.settings, instructions: editor.text, heldout: data.heldout };
}

function settingsChanged() {
  history.replaceState(null, "", hash() || location.pathname + location.search);
  invalidate();
}

/** What the address holds: the settings, the engine and the hidden parts. */
function hash() {
  return writeHash(form.settings, backend, classView.hidden());
}

function finished() {
  prediction.reveal();
  const { experiment } = control;
  if (experiment?.name === "check") return say(`The check has ended. ${store.checks.map(checkSentence).join(" ")}`);
  if (experiment) return say(`The experiment has ended. ${store.summary?.verdict ?? ""}`);
  say(`The run has ended. ${recallSentence(store, store.newest)}`);
}

/** Rows of the instruction set of the shown run; parsed once per set. */
const rowsOf = { text: "", rows: /** @type {ReturnType<typeof parseInstructions> | null} */ (null) };
function instructionRows() {
  const isOwn = store.source.kind === "recorded" || store.source.kind === "live";
  const text = store.source.instructions ?? (isOwn ? data?.instructions : null) ?? "";
  if (text !== rowsOf.text) {
    rowsOf.text = text;
    try {
      rowsOf.rows = text === "" ? null : parseInstructions(text);
    } catch (error) {
      if (!(error instanceof LineError)) throw error;
      rowsOf.rows = null;
    }
  }
  return rowsOf.rows;
}

/** Takes every message of the worker. */
function receive(message) {
  if (message.type === "ready") return ready(message);
  if (message.type === "progress") return takeProgress(message);
  if (message.type === "answer") return ask.receive(message);
  if (message.type === "saved") return download(message.file, message.bytes, "application/octet-stream");
  if (message.type === "error") return failed(message.name, message.message);
  if (message.type === "state" && message.state !== "preparing") hideProgress();
  control.receive(message);
  if (message.type !== "event") return;
  if (store.run === message.event) say(`A new run at step 0 with seed ${store.run.settings.seed}.`);
  milestones.update();
}

function paused() {
  say(`Paused at step ${count(store.step)}. ${recallSentence(store)}`);
}

function ready(message) {
  parameters = message.parameters;
  document.documentElement.dataset.engine = message.engine;
  showEngine(message);
  hideProgress();
  engine.post({ type: "warm_up", settings: form.settings });
  control.setMode("live", message.engine === "webgpu" ? `webgpu: ${message.adapter}` : "cpu");
  say(`Ready to train: ${message.reason}`);
}

function failed(name, message) {
  hideProgress();
  if (control.mode === "loading") return playbackOnly(message);
  showError(name, message);
  strength.stop();
  control.fail();
  if (name !== "worker" && name !== "device-lost") return;
  document.documentElement.dataset.engine = "playback";
  control.setMode("playback");
}

/** The engine cannot run: the recorded run stays, and everything that reads it works. */
function playbackOnly(reason) {
  document.documentElement.dataset.engine = "playback";
  showEngine({
    engine: "playback",
    adapter: "",
    reason: `Training is not possible here: ${reason}. The page plays recorded runs.`,
    model: "",
    parameters: NaN,
  });
  hideProgress();
  control.setMode("playback");
  say("Training is not possible here; the page plays the recorded run.");
}

/** What takes long; training itself has its counters. */
function takeProgress({ stage, done, total }) {
  if (done < total || total === 0) showProgress(stage, done, total);
  else hideProgress();
}

function showProgress(stage, done, total) {
  const bar = find("#progress");
  find("#progress-row").hidden = false;
  if (total > 0) {
    bar.max = total;
    bar.value = done;
  } else bar.removeAttribute("value");
  const isBytes = stage === "model";
  const amount = isBytes
    ? `${bytes(done)}${total > 0 ? ` of ${bytes(total)}` : ""}`
    : total > 0
      ? `${count(done)} of ${count(total)}`
      : "";
  setText(find("#progress-text"), `${isBytes ? "Fetching the model" : stage} ${amount}`);
}

function hideProgress() {
  find("#progress-row").hidden = true;
}

/** A record of the page's own. */
async function fetchRecord(name) {
  const response = await fetch(new URL(`examples/${name}.json`, document.baseURI));
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  return parseRecord(await response.text());
}

/** At the start, unless something else is shown by then, or when it is `isWanted` again. */
async function showRecorded(isWanted = false) {
  try {
    const record = await fetchRecord(FIRST);
    if (store.source.kind === "none" || isWanted) store.open(record, "recorded");
  } catch (error) {
    setText(find("#recorded-note"), `The recorded run could not be shown (${error.message}).`);
  }
}

/** Shows the record of an experiment: its run and its summary. */
async function showFinding(name) {
  const { title } = FINDINGS.find((finding) => finding.name === name);
  const note = find("#finding-error");
  note.hidden = true;
  try {
    const record = await fetchRecord(name);
    control.leave();
    store.open(record, "recorded");
    say(`Recorded: ${title}`);
    find("#summary-title").focus();
  } catch (error) {
    note.hidden = false;
    setText(note, `“${title}” could not be shown (${error.message}).`);
  }
}

/** Starts an experiment in the engine. */
async function runFinding(finding, seeds) {
  const wanted = plan();
  if (!wanted) return showError("instructions", editor.error || "the data is not loaded yet");
  try {
    const instructions = finding.data ? await fetchText(finding.data) : wanted.instructions;
    control.experimentWith(finding.name, seeds, { instructions, heldout: wanted.heldout });
    say(`The experiment starts: ${finding.title}`);
  } catch (error) {
    showError("download", error.message);
  }
}

async function loadData() {
  data = await fetchData();
  editor.load(data.instructions);
}

async function startEngine() {
  const loaded = loadData();
  loaded.catch(() => {}); // awaited below, after the worker
  try {
    showProgress("Starting the engine", 0, 0);
    const fetched = fetchModel((done, total) => showProgress("model", done, total));
    fetched.catch(() => {}); // awaited below too
    await engine.start();
    const model = await fetched;
    await loaded;
    showProgress("Preparing the engine", 0, 0);
    engine.post({ type: "load", backend, ...model, facts: data.facts });
  } catch (error) {
    playbackOnly(error.message);
  }
}

function chooseBackend(value) {
  backend = value;
  settingsChanged();
  location.reload();
}

/** The parts of the page that follow the controls. */
function drawControls(drawBar) {
  drawBar();
  const { running } = control;
  const changed = form.mark(running?.settings ?? null);
  const isEdited = running !== null && editor.text !== running.instructions;
  update(find("#instructions-restart"), { hidden: !isEdited });
  update(find("#restart-note"), { hidden: changed.length === 0 && !isEdited });
  ask.enable(control.mode === "live", control.isLive);
  enableFileTools(store, control);
  setText(find("#headline"), headline());
}

/** The result in one sentence, for the run that is shown. */
function headline() {
  if (!store.run) return "";
  const kind = { recorded: "Recorded run", live: "This run", imported: "Imported run" }[store.source.kind];
  return `${kind}, seed ${store.run.settings.seed}. ${recallSentence(store)}`;
}

function wire() {
  const charts = makeCharts(store);
  new Walls(store, instructionRows, {
    key: () => [control.canCheck],
    button: (arm) => checkButton(control, arm),
  });
  new ShiftTextView(store);
  makeKlBars(store);
  makeShiftClasses(store);
  makeWeights(store);
  const way = makeSummary(store);
  makeTradeOff(store, way);
  makeChecks(control);
  makeFindings(store, control, { showRecorded: showFinding, run: runFinding });
  makeArmTable(store, () => parameters);
  makeFileTools(store, {
    onImport: () => control.leave(),
    hash,
    post: (command) => engine.post(command),
  });
  const drawBar = makeControlBar(store, control, {
    arms: () => form.settings.arms,
    setArms: (arms) => form.set({ ...form.settings, arms }),
  });
  addView(
    find("#bar"),
    () => {},
    () => drawControls(drawBar),
  ); // all words, no drawing
  store.subscribe(() => invalidate());
  onThemeChange(() => {
    charts.forEach((chart) => chart.redraw());
    invalidate();
  });
  const help = find("#help");
  for (const button of findAll("[data-help]")) button.addEventListener("click", () => help.showModal());
  find("#recorded").addEventListener("click", () => {
    control.leave();
    showRecorded(true);
  });
  find("#backend").value = backend;
  find("#backend").addEventListener("change", (event) => chooseBackend(event.target.value));
  addEventListener("hashchange", () => {
    const { settings, hidden } = readHash(location.hash);
    classView.hide(hidden);
    form.set(settings);
  });
  listenToKeys({
    toggle: () => (control.isRunning ? control.pause() : control.play()),
    step: () => control.step(1),
    reset: () => control.reset(),
    help: () => help.showModal(),
  });
}

wire();
if (start.ignored.length > 0) showError("address", start.ignored.slice(0, 5).join(", ").slice(0, 200));
showRecorded();
startEngine().then(keepOffline);

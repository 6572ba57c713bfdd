/** Puts the page together: its moving parts, the views that read them, and the controls. */
import "./ui/trusted.js"; // first: see there
import "./ui/locale.js"; // first: see there
import { keepOffline } from "./engine/offline.js";
import { Page } from "./page.js";
import { Cursor } from "./state/cursor.js";
import { find, findAll, setText, update } from "./ui/dom.js";
import { addView, invalidate, invalidateSteps } from "./ui/frame.js";
import { listenToKeys } from "./ui/keyboard.js";
import { onThemeChange } from "./ui/theme.js";
import { makeCharts } from "./views/charts.js";
import { checkButton, makeChecks } from "./views/checks.js";
import { makeControlBar } from "./views/control-bar.js";
import { enableFileTools, makeFileTools } from "./views/files.js";
import { makeFindings } from "./views/findings.js";
import { makeKlBars } from "./views/kl-bars.js";
import { makeArmTable } from "./views/machine.js";
import { showFinding, showRecorded } from "./views/recorded.js";
import { makePictures } from "./views/pictures.js";
import { makeRates } from "./views/rates.js";
import { makeRows } from "./views/rows.js";
import { makeShiftClasses } from "./views/shift-classes.js";
import { ShiftTextView } from "./views/shift-text.js";
import { headline } from "./views/status.js";
import { makeRuns } from "./views/runs.js";
import { makeSpectrum } from "./views/spectrum.js";
import { makeStrips } from "./views/strips.js";
import { makeSummary } from "./views/summary.js";
import { makeTradeOff } from "./views/trade-off.js";
import { makeUpdate } from "./views/update.js";
import { Walls } from "./views/walls.js";
import { makeWeights } from "./views/weights.js";

const page = new Page();
const { control, store } = page;

/** The parts of the page that follow the controls. */
function drawControls(/** @type {() => void} */ drawBar) {
  drawBar();
  page.markChanges();
  page.ask.enable(control.mode === "live", control.isLive);
  page.adapters.enable(control.mode === "live" && control.isLive);
  page.prediction.draw();
  enableFileTools(store, control);
  setText(find("#headline"), headline(store));
  update(document.body.dataset, { arms: store.armNames.length > 3 ? "many" : "few" });
}

function makeViews() {
  const charts = makeCharts(store);
  const walls = new Walls(
    store,
    makeRows(store, () => page.data?.instructions ?? ""),
    {
      key: () => [control.canCheck],
      check: (arm) => checkButton(control, arm),
      ask: (question) => {
        page.stage.show({ said: "ask" });
        page.ask.put(question);
      },
    },
    () => page.stage.show({ said: "fact" }),
  );
  const cursor = new Cursor(invalidate);
  new ShiftTextView(store, cursor);
  makeStrips(store, cursor, () => page.stage.show({ said: "question" }));
  makeKlBars(store);
  makeShiftClasses(store);
  makeWeights(store);
  makeSpectrum(store);
  makeTradeOff(store, makeSummary(store));
  makeRates(store);
  makeChecks(control);
  makeFindings(store, control, {
    showRecorded: (name) => showFinding(store, control, name),
    run: (preset, seeds) => page.runFinding(preset, seeds),
    isOwnModel: () => page.isOwnModel,
  });
  makeRuns(page.runs, control);
  makeArmTable(store, () => page.parameters, () => page.engine.size);
  makePictures(store, page.drawers);
  makeFileTools(store, {
    onImport: () => control.leave(),
    hash: () => page.hash(),
    post: (command) => page.engine.post(command),
    saveRun: (name, arms, record) => page.files.saveRun(name, arms, record),
    takeAdapters: (file) => page.adapters.take([{ path: file.name, blob: file }]),
  });
  const drawBar = makeControlBar(store, control, page.form);
  addView(find("#bar"), () => {}, () => drawControls(drawBar)); // it is all words
  store.subscribe((isStep) => (isStep ? invalidateSteps() : invalidate()));
  onThemeChange(() => {
    charts.forEach((chart) => chart.redraw());
    invalidate();
  });
  return walls;
}

function listen() {
  const help = find("#help");
  for (const button of findAll("[data-help]")) button.addEventListener("click", () => help.showModal());
  find("#recorded").addEventListener("click", () => {
    control.leave();
    showRecorded(store, true);
  });
  const backend = find("#backend");
  backend.value = page.backend;
  backend.addEventListener("change", () => page.chooseBackend(backend.value));
  addEventListener("hashchange", () => page.readAddress());
  listenToKeys({
    toggle: () => (control.isRunning ? control.pause() : control.play()),
    step: () => control.step(1),
    reset: () => control.reset(),
    next: () => page.lesson?.turnBy(1),
    back: () => page.lesson?.turnBy(-1),
    help: () => help.showModal(),
  });
}

const walls = makeViews();
listen();
page.openLesson(walls, showRecorded(store));
const offer = makeUpdate(page.kept);
page.startEngine().then(() => keepOffline((text) => setText(find("#offline"), text), offer));

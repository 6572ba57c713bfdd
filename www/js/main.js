/** Puts the page together: its moving parts, the views that read them, and the controls. */
import "./ui/locale.js"; // first: see there
import { keepOffline } from "./engine/offline.js";
import { Page } from "./page.js";
import { readHash } from "./state/hash.js";
import { find, findAll, setText } from "./ui/dom.js";
import { addView, invalidate } from "./ui/frame.js";
import { listenToKeys } from "./ui/keyboard.js";
import { onThemeChange } from "./ui/theme.js";
import { makeCharts } from "./views/charts.js";
import { checkButton, makeChecks } from "./views/checks.js";
import { makeControlBar } from "./views/control-bar.js";
import { enableFileTools, makeFileTools } from "./views/files.js";
import { makeFindings } from "./views/findings.js";
import { makeKlBars } from "./views/kl-bars.js";
import { LessonView } from "./views/lesson.js";
import { makeArmTable } from "./views/machine.js";
import { openRecorded, showFinding, showRecorded } from "./views/recorded.js";
import { makeRows } from "./views/rows.js";
import { makeShiftClasses } from "./views/shift-classes.js";
import { ShiftTextView } from "./views/shift-text.js";
import { recallSentence } from "./views/status.js";
import { makeSummary } from "./views/summary.js";
import { makeTradeOff } from "./views/trade-off.js";
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
  setText(find("#headline"), headline());
}

/** The result in one sentence, for the run that is shown. */
function headline() {
  if (!store.run) return "";
  const kinds = { none: "", recorded: "Recorded run", live: "This run", imported: "Imported run" };
  return `${kinds[store.source.kind]}, seed ${store.run.settings.seed}. ${recallSentence(store)}`;
}

function makeViews() {
  const charts = makeCharts(store);
  const walls = new Walls(
    store,
    makeRows(store, () => page.data?.instructions ?? ""),
    { key: () => [control.canCheck], button: (arm) => checkButton(control, arm) },
    () => page.stage.show({ said: "fact" }),
  );
  new ShiftTextView(store);
  makeKlBars(store);
  makeShiftClasses(store);
  makeWeights(store);
  makeTradeOff(store, makeSummary(store));
  makeChecks(control);
  makeFindings(store, control, {
    showRecorded: (name) => showFinding(store, control, name),
    run: (preset, seeds) => page.runFinding(preset, seeds),
  });
  makeArmTable(store, () => page.parameters);
  makeFileTools(store, {
    onImport: () => control.leave(),
    hash: () => page.hash(),
    post: (command) => page.engine.post(command),
  });
  page.lesson = new LessonView(
    {
      store,
      control,
      stage: page.stage,
      drawers: page.drawers,
      walls,
      open: (record) => openRecorded(store, control, record),
      settings: (link) => page.takeLink(`#v=2&${link}`),
      changed: () => page.settingsChanged(),
    },
    readHash(location.hash).lesson,
  );
  const drawBar = makeControlBar(store, control, page.form);
  const drawNothing = () => {}; // it is all words
  addView(find("#bar"), drawNothing, () => drawControls(drawBar));
  store.subscribe(() => invalidate());
  onThemeChange(() => {
    charts.forEach((chart) => chart.redraw());
    invalidate();
  });
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
    help: () => help.showModal(),
  });
}

makeViews();
listen();
showRecorded(store);
page.lesson?.load(new URLSearchParams(location.search).get("lesson"));
page.startEngine().then(() => keepOffline((text) => setText(find("#offline"), text)));

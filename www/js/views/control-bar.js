/** The sticky bar: Play/Pause, Step, Reset, the arms, the slider and the counters. */
import { differences } from "../state/settings.js";
import { armClass, armLine } from "../ui/arm-style.js";
import { el, find, setAttributes, setText, update } from "../ui/dom.js";
import { count, fixed } from "../ui/format.js";
import { addView } from "../ui/frame.js";
import { swatch } from "../ui/swatch.js";
import { t } from "../ui/text.js";

/**
 * @typedef {import("../state/store.js").Store} Store
 * @typedef {import("../state/run-control.js").RunControl} RunControl
 * @typedef {import("./settings-form.js").SettingsForm} SettingsForm
 */

const MODE_TEXT = { loading: t("control-bar.loading"), live: "", playback: t("control-bar.playback") };

/**
 * @param {Store} store
 * @param {RunControl} control
 * @param {SettingsForm} form
 */
export function makeControlBar(store, control, form) {
  const play = find("#play");
  play.addEventListener("click", () => (control.isRunning ? control.pause() : control.play()));
  find("#step").addEventListener("click", () => control.step(1));
  find("#step-ten").addEventListener("click", () => control.step(10));
  find("#slow").addEventListener("click", () => control.setSlow(!control.isSlow));
  find("#reset").addEventListener("click", () => control.reset());
  find("#fork").addEventListener("click", () => control.fork());
  const slider = find("#history");
  slider.addEventListener("input", () => {
    control.playback.pause();
    const step = Number(slider.value);
    store.pin(step >= store.newest ? null : step);
  });
  find("#newest").addEventListener("click", () => store.pin(null));
  const drawSteps = () => {
    drawSlider(store, slider);
    drawCounters(store);
  };
  addView(find(".counter"), drawSteps, () => {}, true);

  return function draw() {
    const isRunning = control.isRunning;
    setText(find(".label", play), isRunning ? t("control-bar.pause") : t("control-bar.play"));
    update(play.dataset, { state: isRunning ? "running" : "paused" });
    const isOver = control.isLive && control.state === "done";
    const disabled = isOver || control.isExperimenting; // while a run is prepared, steps wait for it
    for (const name of ["#step", "#step-ten"]) update(find(name), { disabled });
    setAttributes(find("#slow"), { "aria-pressed": String(control.isSlow) });
    drawFork(store, form, control);
    drawChips(store, form, control);
    drawSource(store, control);
  };
}

/** Offers a fork at a measured step if the settings differ from those of the run that is shown. */
function drawFork(/** @type {Store} */ store, /** @type {SettingsForm} */ form, /** @type {RunControl} */ control) {
  const isOther = control.isLive ? control.isChanged() : store.run && differences(form.wanted, store.run.settings).length > 0;
  const step = isOther ? control.forkStep : null;
  update(find("#fork"), { hidden: step === null });
  if (step !== null) setText(find("#fork"), t("control-bar.fork", { step: count(step) }));
}

/**
 * A chip for each arm of the run that is shown or, until there is one, of the next run. An arm that is switched off is
 * hidden, and left out of the next run.
 */
function drawChips(/** @type {Store} */ store, /** @type {SettingsForm} */ form, /** @type {RunControl} */ control) {
  const host = find("#arm-chips");
  const arms = store.run?.settings.arms ?? form.settings.arms;
  const names = (/** @type {{id: string, label: string}[]} */ list) => JSON.stringify(list.map(({ id, label }) => [id, label]));
  const key = names(arms);
  if (host.dataset.key !== key) {
    host.dataset.key = key;
    host.replaceChildren(...arms.map(({ id, label }, place) => makeChip(id, label, place, { store, form, control })));
  }
  const isOpen = control.usesEngine && !control.isRunning && !control.isExperimenting && control.state !== "done";
  const trained = control.isLive ? control.running?.settings?.arms : form.wanted.arms;
  const isOnly = arms.filter(({ id }) => !store.muted.includes(id)).length === 1;
  arms.forEach(({ id }, place) => {
    const isOn = !store.muted.includes(id);
    update(find("input", host.children[place]), { checked: isOn, disabled: isOn && isOnly });
    const isThere = trained?.some((arm) => arm.id === id) ?? false;
    update(find("button", host.children[place]), { disabled: !isOpen || !isThere });
  });
  const isSame = key === names(form.settings.arms);
  const next = isSame ? t("control-bar.change-arms") : t("control-bar.next-run", { n: form.wanted.arms.length });
  setText(find("#next-arms"), next);
}

/**
 * @param {string} id
 * @param {string} label
 * @param {number} place
 * @param {{store: Store, form: SettingsForm, control: RunControl}} parts
 */
function makeChip(id, label, place, { store, form, control }) {
  const toggle = () => {
    if (form.settings.arms.some((arm) => arm.id === id)) return form.toggleMuted(id);
    const others = store.muted.filter((other) => other !== id);
    store.mute(others.length < store.muted.length ? others : [...store.muted, id]);
  };
  const box = el("input", { type: "checkbox", value: id, "data-chip": id, onchange: toggle });
  const name = t("control-bar.one-update", { arm: label });
  const step = { type: "button", class: "quiet", "aria-label": name, title: name, onclick: () => control.step(1, id) };
  const chip = el("label", {}, box, swatch(armLine(place, "")), label);
  return el("span", { class: `chip ${armClass(place)}` }, chip, el("button", step, "+1"));
}

function drawSlider(/** @type {Store} */ store, /** @type {HTMLInputElement} */ slider) {
  const steps = store.run?.settings.steps ?? 1;
  const max = String(Math.max(store.newest, steps));
  update(slider, { max, value: String(store.step), disabled: store.newest === 0 });
  setAttributes(slider, { "aria-valuetext": t("control-bar.at-step", { step: String(store.step), steps: String(steps) }) });
  update(find("#newest"), { hidden: store.isFollowing });
}

function drawCounters(/** @type {Store} */ store) {
  const steps = store.run?.settings.steps ?? 0;
  const counter = find("#bar [data-step]");
  update(counter.dataset, { step: String(store.step) });
  setText(counter, count(store.step));
  setText(find("#steps-total"), count(steps));
  let tokens = 0;
  const speed = /** @type {Record<string, number>} */ ({});
  for (const arm of store.armNames) {
    const recent = store.recent(arm, 10);
    tokens += recent.tokens;
    speed[arm] = recent.steps.reduce((sum, entry) => sum + entry.ms, 0) / recent.steps.length;
  }
  setText(find("#tokens"), count(tokens));
  // Steps that an engine queues together are only timed together: then all arms have the same figure.
  const known = Object.values(speed).filter(Number.isFinite);
  const mean = known.reduce((sum, ms) => sum + ms, 0) / known.length;
  const write = (/** @type {number} */ ms) => fixed(ms, ms < 100 ? 1 : 0);
  setText(find("#speed"), write(mean));
  const title = t("control-bar.speeds", { arms: store.perArm((arm) => write(speed[arm])) });
  update(find("#speed").parentElement, { title });
}

function drawSource(/** @type {Store} */ store, /** @type {RunControl} */ control) {
  const { kind, engine } = store.source;
  const badge = find("#source");
  update(badge.dataset, { source: kind === "live" && control.mode !== "live" ? "stopped" : kind });
  const name = kind === "live" && control.mode !== "live" ? "own" : kind;
  setText(badge, t(`control-bar.source.${name}`));
  const here = kind === "live" ? t("control-bar.trains-here") : t("control-bar.trained-here");
  update(badge, { title: kind === "live" || kind === "kept" ? here : t("control-bar.recorded-on", { engine }) });
  setText(find("#mode"), MODE_TEXT[control.mode] || engineName());
}

function engineName() {
  const names = /** @type {Record<string, string>} */ ({ webgpu: "WebGPU", cpu: "CPU" });
  return names[document.documentElement.dataset.engine ?? ""] ?? "";
}

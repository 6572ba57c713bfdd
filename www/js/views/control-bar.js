/** The sticky bar: Play/Pause, Step, Reset, the arms, the slider and the counters. */
import { armClass, armLine } from "../ui/arm-style.js";
import { el, find, setAttributes, setText, update } from "../ui/dom.js";
import { count, fixed } from "../ui/format.js";
import { swatch } from "../ui/swatch.js";

/**
 * @typedef {import("../state/store.js").Store} Store
 * @typedef {import("../state/run-control.js").RunControl} RunControl
 * @typedef {import("./settings-form.js").SettingsForm} SettingsForm
 */

const MODE_TEXT = { loading: "engine loading", live: "", playback: "playback only" };

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
  const slider = find("#history");
  slider.addEventListener("input", () => {
    control.playback.pause();
    const step = Number(slider.value);
    store.pin(step >= store.newest ? null : step);
  });
  find("#newest").addEventListener("click", () => store.pin(null));

  return function draw() {
    const isRunning = control.isRunning;
    setText(find(".label", play), isRunning ? "Pause" : "Play");
    update(play.dataset, { state: isRunning ? "running" : "paused" });
    const isOver = control.isLive && control.state === "done";
    const disabled = isOver || control.isBusy || control.isExperimenting;
    for (const name of ["#step", "#step-ten"]) update(find(name), { disabled });
    setAttributes(find("#slow"), { "aria-pressed": String(control.isSlow) });
    drawChips(form);
    drawSlider(store, slider);
    drawCounters(store);
    drawSource(store, control);
  };
}

/** A chip for each arm of the next run; one that is off is muted. */
function drawChips(/** @type {SettingsForm} */ form) {
  const host = find("#arm-chips");
  const { arms } = form.settings;
  const key = JSON.stringify(arms.map(({ id, label }) => [id, label]));
  if (host.dataset.key !== key) {
    host.dataset.key = key;
    host.replaceChildren(
      ...arms.map(({ id, label }, place) => {
        const box = el("input", { type: "checkbox", value: id, "data-chip": id, onchange: () => form.toggleMuted(id) });
        return el("label", { class: `chip ${armClass(place)}` }, box, swatch(armLine(place, "")), label);
      }),
    );
  }
  const isOnly = arms.length - form.muted.length === 1;
  arms.forEach(({ id }, place) => {
    const isOn = !form.muted.includes(id);
    update(find("input", host.children[place]), { checked: isOn, disabled: isOn && isOnly });
  });
}

function drawSlider(/** @type {Store} */ store, /** @type {HTMLInputElement} */ slider) {
  const steps = store.run?.settings.steps ?? 1;
  const max = String(Math.max(store.newest, steps));
  update(slider, { max, value: String(store.step), disabled: store.newest === 0 });
  setAttributes(slider, { "aria-valuetext": `step ${store.step} of ${steps}` });
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
  const [first, ...others] = store.armNames;
  const isTogether = others.length > 0 && others.every((arm) => speed[arm] === speed[first]);
  const write = (/** @type {string} */ arm) => fixed(speed[arm], speed[arm] < 100 ? 1 : 0);
  setText(find("#speed"), (isTogether ? write(first) : store.perArm(write)) || "–");
  setText(find("#speed-unit"), isTogether ? "ms/step, mean of all arms" : "ms/step");
}

function drawSource(/** @type {Store} */ store, /** @type {RunControl} */ control) {
  const { kind, engine } = store.source;
  const badge = find("#source");
  update(badge.dataset, { source: kind === "live" && control.mode !== "live" ? "stopped" : kind });
  const live = control.mode === "live" ? "live" : "your run";
  const text = { none: "no run yet", recorded: "recorded run", imported: "imported run", live }[kind];
  setText(badge, text);
  update(badge, { title: kind === "live" ? "Trains in this browser now" : `Recorded on: ${engine}` });
  setText(find("#mode"), MODE_TEXT[control.mode] || engineName());
}

function engineName() {
  const names = /** @type {Record<string, string>} */ ({ webgpu: "WebGPU", cpu: "CPU" });
  return names[document.documentElement.dataset.engine ?? ""] ?? "";
}

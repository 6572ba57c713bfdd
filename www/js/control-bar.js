/** The sticky bar: Play/Pause, Step, Reset, the arms, the slider and the counters. */
import { find, findAll, setAttributes, setText, update } from "./dom.js";
import { count, fixed, perArm } from "./format.js";

const MODE_TEXT = { loading: "engine loading", live: "", playback: "playback only" };

/**
 * @param {import("./store.js").Store} store
 * @param {import("./run-control.js").RunControl} control
 * @param {{arms: () => string[], setArms: (arms: string[]) => void}} form
 */
export function makeControlBar(store, control, form) {
  const play = find("#play");
  play.addEventListener("click", () => (control.isRunning ? control.pause() : control.play()));
  find("#step").addEventListener("click", () => control.step(1));
  find("#step-ten").addEventListener("click", () => control.step(10));
  find("#reset").addEventListener("click", () => control.reset());
  const slider = find("#history");
  slider.addEventListener("input", () => {
    control.playback.pause();
    const step = Number(slider.value);
    store.pin(step >= store.newest ? null : step);
  });
  find("#newest").addEventListener("click", () => store.pin(null));
  const arms = findAll('[name="arms"]');
  for (const input of arms) input.addEventListener("change", () => form.setArms(input.value.split(",")));

  return function draw() {
    const isRunning = control.isRunning;
    setText(find(".label", play), isRunning ? "Pause" : "Play");
    update(play.dataset, { state: isRunning ? "running" : "paused" });
    const isOver = control.isLive && control.state === "done";
    const disabled = isOver || control.isBusy || control.isExperimenting;
    for (const name of ["#step", "#step-ten"]) update(find(name), { disabled });
    for (const input of arms) update(input, { checked: input.value === form.arms().join() });
    drawSlider(store, slider);
    drawCounters(store);
    drawSource(store, control);
  };
}

function drawSlider(store, slider) {
  const steps = store.run?.settings.steps ?? 1;
  const max = String(Math.max(store.newest, steps));
  update(slider, { max, value: String(store.step), disabled: store.newest === 0 });
  setAttributes(slider, { "aria-valuetext": `step ${store.step} of ${steps}` });
  update(find("#newest"), { hidden: store.isFollowing });
}

function drawCounters(store) {
  const steps = store.run?.settings.steps ?? 0;
  const counter = find("#bar [data-step]");
  update(counter.dataset, { step: String(store.step) });
  setText(counter, count(store.step));
  setText(find("#steps-total"), count(steps));
  let tokens = 0;
  const speed = {};
  for (const arm of store.armNames) {
    const recent = store.recent(arm, 10);
    tokens += recent.tokens;
    speed[arm] = recent.steps.reduce((sum, entry) => sum + entry.ms, 0) / recent.steps.length;
  }
  setText(find("#tokens"), count(tokens));
  // Steps that an engine queues together are only timed together: then both arms have the same figure.
  const isTogether = store.armNames.length > 1 && speed.lora === speed.full;
  const write = (arm) => fixed(speed[arm], speed[arm] < 100 ? 1 : 0);
  setText(find("#speed"), (isTogether ? write("lora") : perArm(store.armNames, write)) || "–");
  setText(find("#speed-unit"), isTogether ? "ms/step, mean of both" : "ms/step");
}

function drawSource(store, control) {
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
  return { webgpu: "WebGPU", cpu: "CPU" }[document.documentElement.dataset.engine] ?? "";
}

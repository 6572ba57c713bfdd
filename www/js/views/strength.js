/** Doses of an arm's change: sliders for all of it and for its intruder dimensions. */
import { find, setText, update } from "../ui/dom.js";
import { fixed } from "../ui/format.js";
import { addView } from "../ui/frame.js";
import { makeSlots } from "../ui/slots.js";
import { t } from "../ui/text.js";
import { DoseFigures } from "./doses.js";
import { hideProgress } from "./progress.js";
import { totalIntruders } from "./weights-data.js";

/**
 * @typedef {import("../state/store.js").Store} Store
 * @typedef {import("./doses.js").Dose} Dose
 */

/** The sliders of an arm: the numbers of a dose, their decimals. */
const DIALS = /** @type {const} */ ([
  ["strength", 1],
  ["intruders", 2],
]);

const isSame = (/** @type {Dose} */ a, /** @type {Dose} */ b) => a.strength === b.strength && a.intruders === b.intruders;

/**
 * Prepares the sliders: from now until its next step an arm answers, and its wall and answers are shown, as the base with
 * 0 to 2 times its change, of whose intruder dimensions a share is left.
 * @param {import("../state/run-control.js").RunControl} control
 * @param {(command: import("../contract/types.js").Command) => void} post
 */
export function makeStrength(control, post) {
  const { store } = control;
  const host = find("#strength");
  /** Arms whose answer is awaited: what they were asked for. @type {Map<string, {dose: Dose, before: number}>} */
  const waiting = new Map();
  /** The arm whose weights are looked at. @type {string | null} */
  let looking = null;
  const forms = makeSlots("[data-strength]", host);
  const sliders = forms.map((form) => DIALS.map(([name]) => find(`[data-dose="${name}"]`, form)));
  /** @returns {Dose} */
  const chosen = (/** @type {number} */ place) => {
    const [strength, intruders] = sliders[place].map(({ value }) => Number(value));
    return { strength, intruders };
  };
  /** Asks for what the sliders say, once the answer before is there. */
  const ask = (/** @type {number} */ place) => {
    const arm = store.armAt(place);
    const dose = chosen(place);
    if (arm === null || waiting.has(arm) || isSame(dose, doseOf(store, arm))) return;
    waiting.set(arm, { dose, before: store.log(arm).strengths.length });
    post({ type: "strength", arm, ...dose });
  };
  const set = (/** @type {number} */ place, /** @type {Dose} */ dose) => {
    DIALS.forEach(([name, decimals], i) => {
      sliders[place][i].value = String(dose[name]);
      setText(find("output", sliders[place][i].parentElement), fixed(dose[name], decimals));
    });
  };
  const look = (/** @type {number} */ place) => {
    const arm = looking === null ? store.armAt(place) : null;
    if (looking !== null) hideProgress();
    looking = arm;
    post({ type: "look", arm });
    draw();
  };
  forms.forEach((form, place) => {
    sliders[place].forEach((/** @type {HTMLInputElement} */ slider, /** @type {number} */ i) => {
      const row = slider.parentElement ?? form;
      slider.id = find("label", row).htmlFor = i === 0 ? `strength-${place}` : `intruders-${place}`;
      find("output", row).setAttribute("for", slider.id);
      slider.addEventListener("input", () => set(place, chosen(place)));
      slider.addEventListener("change", () => (ask(place), draw()));
    });
    find("[data-look]", form).addEventListener("click", () => look(place));
    form.addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      const dose = chosen(place);
      set(place, { ...dose, strength: dose.strength === 0 ? 1 : 0 });
      ask(place);
      draw();
    });
    set(place, { strength: 1, intruders: 1 });
  });
  const figures = new DoseFigures(store);
  const draw = () => {
    const isIdle = control.isLive && ["paused", "done"].includes(control.state) && !control.isExperimenting;
    const canChange = isIdle && store.isMeasured;
    if (looking !== null && (!isIdle || found(store, looking) !== null)) looking = null;
    forms.forEach((form, place) => {
      const arm = store.armAt(place);
      form.hidden = arm === null;
      if (arm === null) return;
      form.dataset.strength = arm;
      const [strength, intruders] = sliders[place];
      const name = store.label(arm);
      setText(find("label", strength.parentElement), `${name}, λ`);
      setText(find("label", intruders.parentElement), t("strength.intruders", { arm: name }));
      const asked = waiting.get(arm);
      const isAnswered = asked !== undefined && store.log(arm).strengths.length !== asked.before;
      if (isAnswered) waiting.delete(arm);
      // The slider has moved on meanwhile; or the arm has, and is whole again.
      if (isAnswered && !isSame(chosen(place), asked.dose)) ask(place);
      else if (!waiting.has(arm) && !form.contains(document.activeElement)) set(place, doseOf(store, arm));
      const total = found(store, arm);
      update(strength, { disabled: !canChange });
      update(intruders, { disabled: !canChange || !total });
      setText(find("[data-found]", form), total === null ? "" : t("strength.found", { n: total }));
      const button = find("button:not([type])", form);
      update(button, { disabled: !canChange || waiting.has(arm) });
      const isOff = Number(strength.value) === 0;
      setText(button, waiting.has(arm) ? t("strength.measuring") : isOff ? t("strength.switch-on") : t("strength.switch-off"));
      const finder = find("[data-look]", form);
      update(finder, { hidden: total !== null, disabled: !canChange || (looking !== null && looking !== arm) });
      setText(finder, looking === arm ? t("strength.stop-looking") : t("strength.look"));
    });
    figures.draw();
    find("#strength-note").hidden = control.isLive && store.isMeasured;
  };
  addView(host, () => {
    const key = [store.measuredVersion, store.newest, control.state, control.isLive, control.isExperimenting, waiting.size].join();
    if (key === host.dataset.key) return;
    host.dataset.key = key;
    draw();
  });
  return { stop: () => (waiting.clear(), (looking = null), draw()) };
}

/** How much of its change an arm has now. @returns {Dose} */
function doseOf(/** @type {Store} */ store, /** @type {string} */ arm) {
  const { strength, intruders } = store.dose(arm, store.newest) ?? { strength: 1, intruders: 1 };
  return { strength, intruders };
}

/** How many intruder dimensions an arm has where it stands; null where its weights were not looked at there. */
function found(/** @type {Store} */ store, /** @type {string} */ arm) {
  const event = store.weights(arm, store.newest);
  const isThere = event !== null && event.step === (store.trained(arm, store.newest)?.step ?? 0);
  return isThere ? totalIntruders(event) : null;
}

/** What a dose of an arm's change does: sliders, and what was measured at each. */
import { find, setText, table, update } from "../ui/dom.js";
import { count, fixed, nats, percent } from "../ui/format.js";
import { addView } from "../ui/frame.js";
import { makeSlots } from "../ui/slots.js";
import { writeLegend } from "../ui/swatch.js";
import { t } from "../ui/text.js";
import { Scatter } from "./scatter.js";

/**
 * @typedef {import("../state/store.js").Store} Store
 * @typedef {import("../contract/types.js").Strength} Strength
 * @typedef {{name: string, label: string, pick: (dose: Strength) => number, highest?: number}} Figure
 */

/** @type {Figure[]} */
const FIGURES = [
  {
    name: "strength-recall",
    label: t("strength.recall-by-strength"),
    pick: (m) => 100 * m.recall_cloze,
    highest: 101,
  },
  { name: "strength-kl", label: t("strength.kl-by-strength"), pick: (m) => m.kl },
];

/**
 * Prepares the sliders: from now until its next step an arm answers, and its wall and answers are shown, as the base with
 * 0 to 2 times its change.
 * @param {import("../state/run-control.js").RunControl} control
 * @param {(arm: string, strength: number) => void} measure
 */
export function makeStrength(control, measure) {
  const { store } = control;
  const host = find("#strength");
  /** Arms whose answer is awaited: what they were asked for. @type {Map<string, {strength: number, before: number}>} */
  const waiting = new Map();
  const forms = makeSlots("[data-strength]", host);
  const sliders = forms.map((form) => find("input", form));
  /** Asks for what the slider says, once the answer before is there. */
  const ask = (/** @type {number} */ place) => {
    const arm = store.armAt(place);
    const strength = Number(sliders[place].value);
    if (arm === null || waiting.has(arm) || strength === strengthOf(store, arm)) return;
    waiting.set(arm, { strength, before: store.log(arm).strengths.length });
    measure(arm, strength);
  };
  const set = (/** @type {number} */ place, /** @type {number} */ strength) => {
    sliders[place].value = String(strength);
    setText(find("output", forms[place]), fixed(strength, 1));
  };
  forms.forEach((form, place) => {
    const slider = sliders[place];
    slider.id = find("label", form).htmlFor = `strength-${place}`;
    find("output", form).setAttribute("for", slider.id);
    slider.addEventListener("input", () => set(place, Number(slider.value)));
    slider.addEventListener("change", () => (ask(place), draw()));
    form.addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      set(place, Number(slider.value) === 0 ? 1 : 0);
      ask(place);
      draw();
    });
    set(place, 1);
  });
  const figures = FIGURES.map((spec) => ({ spec, figure: find(`[data-figure="${spec.name}"]`, host) }));
  const charts = figures.map(({ spec, figure }) => ({
    spec,
    legend: find(".legend", figure),
    chart: new Scatter(find(".plot", figure), {
      xLabel: t("strength.axis"),
      yLabel: "",
      label: spec.label,
      isPercent: spec.highest !== undefined,
      highest: spec.highest,
      span: spec.highest ? 10 : 0.1,
      xRange: [0, 2.05],
    }),
  }));
  const draw = () => {
    const isIdle = control.isLive && ["paused", "done"].includes(control.state) && !control.isExperimenting;
    forms.forEach((form, place) => {
      const arm = store.armAt(place);
      form.hidden = arm === null;
      if (arm === null) return;
      form.dataset.strength = arm;
      setText(find("label", form), `${store.label(arm)}, λ`);
      const asked = waiting.get(arm);
      const isAnswered = asked !== undefined && store.log(arm).strengths.length !== asked.before;
      if (isAnswered) waiting.delete(arm);
      // The slider has moved on meanwhile; or the arm has, and is whole again.
      if (isAnswered && Number(sliders[place].value) !== asked.strength) ask(place);
      else if (!waiting.has(arm) && document.activeElement !== sliders[place]) set(place, strengthOf(store, arm));
      const canChange = isIdle && store.isMeasured;
      update(sliders[place], { disabled: !canChange });
      const button = find("button", form);
      update(button, { disabled: !canChange || waiting.has(arm) });
      const isOff = Number(sliders[place].value) === 0;
      setText(button, waiting.has(arm) ? t("strength.measuring") : isOff ? t("strength.switch-on") : t("strength.switch-off"));
    });
    const doses = newestDoses(store);
    find("#strength-results").hidden = doses.length === 0;
    find("#strength-note").hidden = control.isLive && store.isMeasured;
    if (doses.length > 0) drawDoses(store, charts, doses);
  };
  addView(host, () => {
    const key = [store.measuredVersion, store.newest, control.state, control.isLive, control.isExperimenting, waiting.size].join();
    if (key === host.dataset.key) return;
    host.dataset.key = key;
    draw();
  });
  return { stop: () => (waiting.clear(), draw()) };
}

/** How much of its change an arm has now. */
function strengthOf(/** @type {Store} */ store, /** @type {string} */ arm) {
  return store.dose(arm, store.newest)?.strength ?? 1;
}

/** All doses of the step at which each arm was last dosed, one per strength, the newest counts. */
function newestDoses(/** @type {Store} */ store) {
  return store.armNames.flatMap((arm) => {
    const { strengths } = store.log(arm);
    const own = strengths.filter((dose) => dose.step === strengths.at(-1)?.step);
    const byStrength = new Map(own.map((dose) => [fixed(dose.strength, 1), dose]));
    return [...byStrength.values()].sort((a, b) => a.strength - b.strength);
  });
}

/**
 * @param {Store} store
 * @param {{spec: Figure, legend: HTMLElement, chart: Scatter}[]} charts
 * @param {Strength[]} doses
 */
function drawDoses(store, charts, doses) {
  const arms = [...new Set(doses.map((dose) => dose.arm))];
  for (const { spec, legend, chart } of charts) {
    writeLegend(legend, arms.map((arm) => ({ place: store.placeOf(arm), label: store.label(arm) })));
    chart.draw(
      arms.map((arm) => ({
        place: store.placeOf(arm),
        points: doses
          .filter((dose) => dose.arm === arm)
          .map((dose) => ({
            x: dose.strength,
            y: spec.pick(dose),
            title: t("strength.point", {
              arm: store.label(arm),
              strength: fixed(dose.strength, 1),
              recall: percent(dose.recall_cloze),
              kl: nats(dose.kl),
            }),
            isLarge: true,
          })),
      })),
    );
  }
  find("#strength-table").replaceChildren(
    table(
      t("strength.caption"),
      [
        t("strength.column.arm"),
        t("strength.column.step"),
        t("strength.column.strength"),
        t("strength.column.recall"),
        t("strength.column.kl"),
        t("strength.column.loss"),
        t("strength.column.unshifted"),
      ],
      doses.map((dose) => [
        store.label(dose.arm),
        count(dose.step),
        fixed(dose.strength, 1),
        percent(dose.recall_cloze),
        nats(dose.kl),
        nats(dose.heldout_loss),
        percent(dose.unshifted),
      ]),
    ),
  );
}

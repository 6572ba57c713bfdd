/** The cards of the experiments: show what was recorded, or run it here; and how far a running one is. */
import { say } from "../ui/alerts.js";
import { el, find, findAll, setText, update } from "../ui/dom.js";
import { PRESETS } from "../contract/data.js";
import { MOST_SEEDS, experimentNote } from "./findings-list.js";
import { plural } from "../ui/format.js";
import { addView } from "../ui/frame.js";

/**
 * @typedef {import("../contract/types.js").PresetData} PresetData
 * @typedef {{showRecorded: (name: string) => void, run: (finding: PresetData, seeds: number) => void,
 *   isOwnModel: () => boolean}} Hooks  `isOwnModel`: a visitor's model is loaded
 */

/**
 * @param {import("../state/store.js").Store} store
 * @param {import("../state/run-control.js").RunControl} control
 * @param {Hooks} hooks
 */
export function makeFindings(store, control, hooks) {
  const cards = PRESETS.map((finding) => makeCard(finding, hooks));
  find("#finding-cards").append(...cards.map(({ card }) => card));
  const cancel = find("#finding-cancel");
  cancel.addEventListener("click", () => {
    control.cancel();
    say("The experiment was cancelled; its runs so far are in the table.");
  });
  addView(
    find("#finding-cards"),
    () => {},
    () => {
      for (const { finding, card, run, seeds } of cards) {
        const isShown = store.summary?.preset === finding.name;
        const isRunning = control.isExperimenting && control.experiment?.name === finding.name;
        card.classList.toggle("is-shown", isShown);
        card.classList.toggle("is-running", isRunning);
        const why = whyNot(finding, control.mode === "live", hooks.isOwnModel());
        update(run, { disabled: why !== "", title: why });
        update(seeds, { disabled: why !== "" });
      }
      const note = experimentNote(control);
      for (const host of findAll("[data-experiment]")) {
        update(host, { hidden: note === "" });
        const isAlone = host.dataset.experiment === "short";
        setText(host, isAlone ? note : `${note}. Its figures come here when all runs are done.`);
      }
      update(cancel, { hidden: note === "" });
    },
  );
}

/** Why an experiment can't run now; "" where it can. */
function whyNot(/** @type {PresetData} */ { model }, /** @type {boolean} */ isLive, /** @type {boolean} */ isOwnModel) {
  if (!isLive) return "Training is not possible here, or the engine is still loading";
  if (model && !isOwnModel) return `For ${model}, or another model of yours: load it under “Model” first`;
  return "";
}

function makeCard(/** @type {PresetData} */ finding, /** @type {Hooks} */ hooks) {
  const { name, short, title, claim, runs, model } = finding;
  const of = () => el("span", { class: "hidden" }, ` ${short}`);
  const amount = el("span", { class: "soft" });
  const options = Array.from({ length: MOST_SEEDS }, (_, i) => el("option", { value: i + 1 }, plural(i + 1, "seed")));
  const writeAmount = () => setText(amount, plural(runs * Number(seeds.value), "run"));
  const seeds = el("select", { "aria-label": `Seeds of ${short}`, onchange: writeAmount }, options);
  const run = el(
    "button",
    { type: "button", "data-run-finding": name, onclick: () => hooks.run(finding, Number(seeds.value)) },
    "Run it here",
    of(),
  );
  const recorded = el(
    "button",
    { type: "button", "data-recorded-finding": name, onclick: () => hooks.showRecorded(name) },
    "Show recorded",
    of(),
  );
  writeAmount();
  const card = el(
    "li",
    { class: "card", "data-finding": name },
    el("h3", {}, el("span", { class: "short" }, short), " ", title),
    el("p", {}, `“${claim}”`),
    model ? el("p", { class: "soft" }, `For ${model}.`) : null,
    el("div", { class: "buttons" }, recorded, el("span", { class: "run-here" }, run, seeds, amount)),
  );
  return { finding, card, run, seeds };
}

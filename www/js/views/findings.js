/** The cards of the experiments: show what was recorded, or run it here; and how far a running one is. */
import { say } from "../ui/alerts.js";
import { el, find, findAll, setText, update } from "../ui/dom.js";
import { PRESETS } from "../contract/data.js";
import { MOST_SEEDS, experimentNote } from "./findings-list.js";
import { addView } from "../ui/frame.js";
import { t, textOr } from "../ui/text.js";

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
    say(t("findings.cancelled"));
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
        setText(host, isAlone ? note : t("findings.figures-come", { note }));
      }
      update(cancel, { hidden: note === "" });
    },
  );
}

/** Why an experiment can't run now; "" where it can. */
function whyNot(/** @type {PresetData} */ { model }, /** @type {boolean} */ isLive, /** @type {boolean} */ isOwnModel) {
  if (!isLive) return t("findings.not-live");
  if (model && !isOwnModel) return t("findings.needs-model", { model });
  return "";
}

function makeCard(/** @type {PresetData} */ finding, /** @type {Hooks} */ hooks) {
  const { name, title, claim, runs, model } = finding;
  const short = textOr(`preset.${name}.short`, finding.short);
  const of = () => el("span", { class: "hidden" }, ` ${short}`);
  const amount = el("span", { class: "soft" });
  const options = Array.from({ length: MOST_SEEDS }, (_, i) => el("option", { value: i + 1 }, t("findings.seeds", { n: i + 1 })));
  const writeAmount = () => setText(amount, t("findings.runs", { n: runs * Number(seeds.value) }));
  const seeds = el("select", { "aria-label": t("findings.seeds-of", { experiment: short }), onchange: writeAmount }, options);
  const run = el(
    "button",
    { type: "button", "data-run-finding": name, onclick: () => hooks.run(finding, Number(seeds.value)) },
    t("findings.run-here"),
    of(),
  );
  const recorded = el(
    "button",
    { type: "button", "data-recorded-finding": name, onclick: () => hooks.showRecorded(name) },
    t("findings.show-recorded"),
    of(),
  );
  writeAmount();
  const card = el(
    "li",
    { class: "card", "data-finding": name },
    el("h3", {}, el("span", { class: "short" }, short), " ", textOr(`preset.${name}.title`, title)),
    el("p", {}, t("findings.claim", { claim: textOr(`preset.${name}.claim`, claim) })),
    model ? el("p", { class: "soft" }, t("findings.for-model", { model })) : null,
    el("div", { class: "buttons" }, recorded, el("span", { class: "run-here" }, run, seeds, amount)),
  );
  return { finding, card, run, seeds };
}

/** What the status line says: pauses and milestones, made from the numbers of the run that is shown. */
import { say } from "../ui/alerts.js";
import { Store } from "../state/store.js";
import { count, percent } from "../ui/format.js";
import { t } from "../ui/text.js";
import { offRate } from "./off-rate.js";

/** "At step 50 LoRA knows 198 of 200 kept facts (99 %), Full …": the newest measure up to `step`. */
export function recallSentence(/** @type {Store} */ store, step = store.step) {
  const known = store.armNames.flatMap((arm) => {
    const measure = store.measure(arm, step);
    const entry = Store.recall(measure, "kept", "cloze");
    return measure && entry ? [{ ...entry, arm, step: measure.step }] : [];
  });
  if (known.length === 0) return "";
  const at = Math.max(...known.map((entry) => entry.step));
  const arms = known.map(({ arm, correct, n }) =>
    t("status.knows", { arm: store.label(arm), correct: count(correct), all: count(n), share: percent(correct / n, 0) }),
  );
  return t("status.after", { n: at, arms: arms.join(", ") });
}

/** The result in one sentence, for the run that is shown. */
export function headline(/** @type {Store} */ store) {
  const { run, source } = store;
  if (!run || source.kind === "none") return "";
  const sentence = t(`status.headline.${source.kind}`, { seed: String(run.settings.seed), known: recallSentence(store) });
  const shown = run.settings.arms.filter(({ id }) => store.armNames.includes(id));
  // The sweep was of the built-in model.
  const off = run.model.startsWith("Atlas,") ? offRate(shown.map((arm) => ({ ...arm, kind: arm.method.kind }))) : "";
  return off ? `${sentence} ${off}` : sentence;
}

/** Announces each quarter of a live run once every arm has been measured there. */
export class Milestones {
  constructor(/** @type {Store} */ store) {
    this.store = store;
    /** @type {Store["run"]} */
    this.run = null;
    this.quarter = 0;
  }

  update() {
    const { store } = this;
    if (store.source.kind !== "live" || !store.run) return;
    if (this.run !== store.run) {
      this.run = store.run;
      this.quarter = 0;
    }
    const measured = Math.min(...store.armNames.map((arm) => store.log(arm).measures.at(-1)?.step ?? 0));
    const quarter = Math.floor((4 * measured) / Math.max(1, store.run.settings.steps));
    if (quarter <= this.quarter || quarter >= 4) return;
    this.quarter = quarter;
    say(recallSentence(store, measured));
  }
}

/** "Which arm forgets more?" One click, kept in this browser, revealed when a run has ended. */
import { Store } from "./store.js";
import { find, findAll, setText } from "./dom.js";
import { ARM_LABEL, percent } from "./format.js";

const KEY = "driftscope-prediction";
const CHOICES = { lora: "LoRA forgets more", full: "full tuning forgets more", same: "both forget about the same" };

/** localStorage may be blocked; the prediction then lasts as long as the page. */
function remember(choice) {
  try {
    localStorage.setItem(KEY, choice);
  } catch {
    /* nothing to do */
  }
}

function recalled() {
  try {
    const choice = localStorage.getItem(KEY);
    return choice !== null && Object.hasOwn(CHOICES, choice) ? choice : null;
  } catch {
    return null;
  }
}

/**
 * Which arm lost more kept facts. Differences within two standard errors count as the same.
 * @returns {{winner: "lora" | "full" | "same", lora: number, full: number, n: number} | null} shares lost
 */
export function compare(loraRecall, fullRecall, startRecall) {
  if (!loraRecall || !fullRecall || !startRecall) return null;
  const lost = (entry) => (startRecall.correct - entry.correct) / entry.n;
  const [lora, full, n] = [lost(loraRecall), lost(fullRecall), loraRecall.n];
  const variance = [loraRecall, fullRecall].reduce(
    (sum, { correct }) => sum + ((correct / n) * (1 - correct / n)) / n,
    0,
  );
  const isSame = Math.abs(lora - full) <= 2 * Math.sqrt(variance);
  return { winner: isSame ? "same" : lora > full ? "lora" : "full", lora, full, n };
}

export class Prediction {
  constructor(/** @type {import("./store.js").Store} */ store) {
    this.store = store;
    this.choice = recalled();
    for (const button of findAll("[data-predict]")) {
      button.addEventListener("click", () => this.choose(button.dataset.predict));
    }
    this.draw("");
  }

  /** @private */
  choose(choice) {
    this.choice = choice;
    remember(choice);
    this.draw("");
  }

  /** @private */
  draw(result) {
    for (const button of findAll("[data-predict]")) {
      button.setAttribute("aria-pressed", String(button.dataset.predict === this.choice));
    }
    const said = this.choice ? `Your guess: ${CHOICES[this.choice]}. ` : "";
    setText(
      find("#predict-result"),
      said + (result || (this.choice ? "It is kept in this browser and checked when a run ends." : "")),
    );
  }

  /** A run has ended: compares the guess with it. */
  reveal() {
    if (!this.choice) return;
    const { store } = this;
    const of = (measure) => Store.recall(measure, "kept", "cloze");
    const result = compare(
      of(store.measure("lora", store.newest)),
      of(store.measure("full", store.newest)),
      of(store.start()),
    );
    if (!result) return;
    const lost = (arm) => `${ARM_LABEL[arm]} lost ${percent(result[arm])}`;
    const isRight = result.winner === this.choice;
    const reading = result.winner === "same" ? "no more apart than chance allows" : CHOICES[result.winner];
    this.draw(
      `In this run ${lost("lora")} and ${lost("full")} of ${result.n} kept facts: ${reading}. ${isRight ? "You guessed it" : "Not what you guessed"}. One run is one seed; the table of several seeds says more.`,
    );
  }
}

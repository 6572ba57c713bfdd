/** "Which arm forgets most?" One click, kept in this browser, revealed when a run has ended. */
import { Store } from "../state/store.js";
import { el, find, findAll, setText } from "../ui/dom.js";
import { percent } from "../ui/format.js";
import { t } from "../ui/text.js";

/** @typedef {import("../contract/types.js").Recall} Recall */

const KEY = "driftscope-prediction";
const SAME = "same";

/** localStorage may be blocked; the prediction then lasts as long as the page. */
function remember(/** @type {string} */ choice) {
  try {
    localStorage.setItem(KEY, choice);
  } catch {
    /* nothing to do */
  }
}

function recalled() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/**
 * Which arm lost most kept facts; "same" where the two that lost most are within two standard errors of each other.
 * @param {{id: string, recall: Recall | null}[]} arms
 * @param {Recall | null} start
 * @returns {{winner: string, lost: Map<string, number>, n: number} | null} shares lost
 */
export function compare(arms, start) {
  const known = arms.flatMap(({ id, recall }) => (recall && start ? [{ id, recall }] : []));
  if (!start || known.length < 2 || known.length < arms.length) return null;
  const shares = known.map(({ id, recall }) => ({ id, recall, lost: (start.correct - recall.correct) / recall.n }));
  const [most, second] = shares.toSorted((a, b) => b.lost - a.lost);
  const variance = [most, second].reduce((sum, { recall: { correct, n } }) => {
    return sum + ((correct / n) * (1 - correct / n)) / n;
  }, 0);
  const isSame = most.lost - second.lost <= 2 * Math.sqrt(variance);
  const lost = new Map(shares.map((share) => [share.id, share.lost]));
  return { winner: isSame ? SAME : most.id, lost, n: most.recall.n };
}

export class Prediction {
  /**
   * @param {Store} store
   * @param {() => {id: string, label: string}[]} arms that a guess can name
   */
  constructor(store, arms) {
    this.store = store;
    this.arms = arms;
    this.choice = recalled();
    this.result = "";
    this.key = "";
    this.draw();
  }

  /** @private */
  choose(/** @type {string} */ choice) {
    this.choice = choice;
    this.result = "";
    remember(choice);
    this.draw();
  }

  /** The buttons of the arms there are now, and what was guessed. */
  draw() {
    const options = [...this.arms(), { id: SAME, label: t("predict.same") }];
    const key = JSON.stringify(options);
    if (key !== this.key) {
      const button = (/** @type {{id: string, label: string}} */ { id, label }) =>
        el("button", { type: "button", "data-predict": id, onclick: () => this.choose(id) }, label);
      find("#predict-arms").replaceChildren(...options.map(button));
    }
    this.key = key;
    const chosen = options.find(({ id }) => id === this.choice);
    for (const button of findAll("[data-predict]")) {
      button.setAttribute("aria-pressed", String(button.dataset.predict === chosen?.id));
    }
    const guess = chosen && (chosen.id === SAME ? t("predict.guess-same") : t("predict.guess", { arm: chosen.label }));
    setText(find("#predict-result"), guess ? `${guess} ${this.result || t("predict.waits")}` : "");
  }

  /** A run has ended: compares the guess with it. */
  reveal() {
    if (!this.choice) return;
    const { store } = this;
    const of = (/** @type {string} */ id) => Store.recall(store.measure(id, store.newest), "kept", "cloze");
    const result = compare(
      store.armNames.map((id) => ({ id, recall: of(id) })),
      Store.recall(store.start(), "kept", "cloze"),
    );
    if (!result) return;
    const lost = store.armNames.map((id) => t("predict.lost", { arm: store.label(id), share: percent(result.lost.get(id)) }));
    const { winner } = result;
    const reading = winner === SAME ? t("predict.no-further-apart") : t("predict.forgets-most", { arm: store.label(winner) });
    this.result = [
      t("predict.in-this-run", { facts: String(result.n), lost: lost.join(", "), reading }),
      winner === this.choice ? t("predict.right") : t("predict.wrong"),
      t("predict.one-seed"),
    ].join(" ");
    this.draw();
  }
}

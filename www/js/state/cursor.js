/** What is looked at, beside the step: a held-out question, and a token of each arm's answer to it. */
import { shiftedOf } from "./token-class.js";
export class Cursor {
  question = "";
  /** Places of the chosen tokens, by arm. @type {Map<string, number>} */
  tokens = new Map();

  /** @param {() => void} changed */
  constructor(changed) {
    this.changed = changed;
  }

  ask(/** @type {string} */ question) {
    if (question === this.question) return;
    this.question = question;
    this.tokens.clear();
    this.changed();
  }

  choose(/** @type {string} */ arm, /** @type {number} */ token) {
    this.tokens.set(arm, token);
    this.changed();
  }

  /** The place of the token that is chosen in an arm's answer; -1 for none. */
  token(/** @type {string} */ arm) {
    return this.tokens.get(arm) ?? -1;
  }
}

/**
 * The question whose answer at the chosen step has the largest share of shifted tokens, in any arm that is shown.
 * @param {import("./store.js").Store} store
 */
export function mostShifted(store) {
  const shares = store.questions.map((question) => {
    const answers = store.armNames.map((arm) => store.text(arm, question)?.tokens ?? []);
    const share = (/** @type {{rank: number}[]} */ tokens) => shiftedOf(tokens) / (tokens.length || 1);
    return { question, share: Math.max(0, ...answers.map(share)) };
  });
  return shares.reduce((best, next) => (next.share > best.share ? next : best), { question: "", share: 0 }).question;
}

/**
 * The wrong answer that a shown arm is surest of at the chosen step; null where none is wrong, or none was recorded with
 * how sure it was.
 * @param {import("./store.js").Store} store
 */
export function mostWrong(store) {
  let best = /** @type {{arm: string, cell: number, logprob: number} | null} */ (null);
  for (const arm of store.armNames) {
    for (const { cell, logprob } of store.dosed(arm)?.wrong ?? []) {
      if (typeof logprob === "number" && logprob > (best?.logprob ?? -Infinity)) best = { arm, cell, logprob };
    }
  }
  return best;
}

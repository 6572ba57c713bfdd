/** What the base says to each of a visitor's probes. It is asked when they have not changed for a moment, in its idle time. */
import { write } from "./probes.js";

/**
 * @typedef {import("./probes.js").Probe} Probe
 * @typedef {import("../contract/types.js").BaseAnswer} BaseAnswer
 * @typedef {Extract<import("../contract/types.js").Command, {type: "probe"}>} Request
 */

const PAUSE_MS = 400;

export class ProbeAnswers {
  /**
   * @param {(request: Request) => void} post
   * @param {() => void} changed called when answers have come
   */
  constructor(post, changed) {
    this.post = post;
    this.changed = changed;
    /** @type {"waiting" | "ready" | "absent"} */
    this.engine = "waiting";
    /** @type {readonly Probe[]} */
    this.probes = [];
    /** Those that were asked for last. @type {readonly Probe[]} */
    this.asked = [];
    /** The answers of the model that is loaded. @type {WeakMap<Probe, BaseAnswer>} */
    this.known = new WeakMap();
    this.id = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /** The engine can be asked, or never will be. Each model that it loads is asked anew. */
  use(/** @type {"ready" | "absent"} */ engine) {
    this.engine = engine;
    this.known = new WeakMap();
    this.asked = [];
    this.ask();
  }

  /** Wants the base asked for these; none where they can't be used. */
  want(/** @type {readonly Probe[]} */ probes) {
    if (probes === this.probes) return;
    this.probes = probes;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), PAUSE_MS);
  }

  of(/** @type {Probe} */ probe) {
    return this.known.get(probe) ?? null;
  }

  /** Takes some of the base's answers. */
  receive(/** @type {{id: number, from: number, answers: BaseAnswer[]}} */ { id, from, answers }) {
    if (id !== this.id) return;
    answers.forEach((answer, i) => this.asked[from + i] && this.known.set(this.asked[from + i], answer));
    this.changed();
  }

  /** How many of the probes the base completes rightly, how many it answers rightly where it was asked, and what is left. */
  get score() {
    const answers = this.probes.map((probe) => this.of(probe)).filter((answer) => answer !== null);
    const asked = answers.flatMap((answer) => (answer.asked ? [answer.asked] : []));
    return {
      answers: answers.length,
      known: answers.filter((answer) => answer.right).length,
      asked: asked.length,
      right: asked.filter((answer) => answer.right).length,
      refused: answers.filter((answer) => answer.refused).length,
    };
  }

  /** @private */
  ask() {
    const isNothing = this.asked.length === 0 && this.probes.length === 0;
    if (this.engine !== "ready" || this.asked === this.probes || isNothing) return;
    this.asked = this.probes;
    this.post({ type: "probe", id: ++this.id, probes: write(this.probes) });
    this.changed();
  }
}

/**
 * How many tokens each row has, as the engine counts them by the model's chat template. Rows in view are asked for first,
 * and never more than a few at once, so that a run that trains goes on.
 */
import { lineOf } from "./dataset.js";

/**
 * @typedef {import("./dataset.js").Row} Row
 * @typedef {import("../contract/types.js").RowTokens} RowTokens
 * @typedef {Extract<import("../contract/types.js").Command, {type: "count_tokens"}>} Request
 */

const AT_ONCE = 256;
/** Rows that change as someone types are not counted at each key. */
const PAUSE_MS = 250;
const MOST_KNOWN = 300_000;

export class TokenCounts {
  /**
   * @param {(request: Request) => void} post
   * @param {() => void} changed called when counts have come
   */
  constructor(post, changed) {
    this.post = post;
    this.changed = changed;
    /** @type {"waiting" | "ready" | "absent"} */
    this.engine = "waiting";
    /** By the row's line: the same row is counted once. @type {Map<string, RowTokens>} */
    this.known = new Map();
    /** @type {readonly Row[]} */
    this.rows = [];
    /** @type {Row[]} */
    this.inView = [];
    /** All rows before this one are counted. */
    this.done = 0;
    /** @type {{id: number, lines: string[]} | null} */
    this.asked = null;
    this.id = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /** The engine can be asked, or never will be. With each model that it loads everything is counted anew. */
  use(/** @type {"ready" | "absent"} */ engine) {
    this.engine = engine;
    this.known.clear();
    [this.done, this.asked] = [0, null];
    this.ask();
  }

  /** Wants these rows counted, those in view first. */
  want(/** @type {readonly Row[]} */ rows, /** @type {Row[]} */ inView) {
    if (rows !== this.rows) this.done = 0;
    [this.rows, this.inView] = [rows, inView];
    this.advance();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), PAUSE_MS);
  }

  of(/** @type {Row} */ row) {
    return this.known.get(lineOf(row)) ?? null;
  }

  get isComplete() {
    return this.done === this.rows.length;
  }

  /** Takes the engine's answer. */
  receive(/** @type {{id: number, counts: RowTokens[]}} */ { id, counts }) {
    if (this.asked?.id !== id) return;
    if (this.known.size > MOST_KNOWN) this.known.clear();
    this.asked.lines.forEach((line, i) => counts[i] && this.known.set(line, counts[i]));
    this.asked = null;
    this.advance();
    this.changed();
    this.ask();
  }

  /** @private */
  advance() {
    while (this.done < this.rows.length && this.of(this.rows[this.done])) this.done += 1;
  }

  /** @private */
  ask() {
    if (this.engine !== "ready" || this.asked) return;
    /** @type {Set<string>} */
    const lines = new Set();
    const add = (/** @type {Row} */ row) => !this.of(row) && lines.add(lineOf(row));
    this.inView.forEach(add);
    for (let i = this.done; i < this.rows.length && lines.size < AT_ONCE; i++) add(this.rows[i]);
    if (lines.size === 0) return;
    this.asked = { id: ++this.id, lines: [...lines] };
    this.post({ type: "count_tokens", id: this.id, rows: this.asked.lines.join("\n") });
  }
}

/** Whether a run that takes `maxLen` tokens of each row leaves out some of this one's. */
export function isCut(/** @type {RowTokens | null} */ tokens, /** @type {number} */ maxLen) {
  return tokens !== null && tokens.prompt + tokens.response > maxLen;
}

/** Whether it leaves out the whole answer, so that nothing is learned from the row. */
export function isMute(/** @type {RowTokens} */ tokens, /** @type {number} */ maxLen) {
  return tokens.prompt >= maxLen;
}

/** What all rows have together; null until all are counted. */
export function summed(/** @type {TokenCounts} */ counts, /** @type {number} */ maxLen) {
  if (!counts.isComplete || counts.rows.length === 0) return null;
  const found = { rows: counts.rows.length, sum: 0, most: 0, cut: 0, mute: 0, refused: 0 };
  for (const row of counts.rows) {
    const tokens = counts.of(row);
    if (!tokens) return null; // forgotten, when there were too many
    const whole = tokens.prompt + tokens.response;
    found.sum += whole;
    found.most = Math.max(found.most, whole);
    if (tokens.refused) found.refused += 1;
    else if (isMute(tokens, maxLen)) found.mute += 1;
    if (isCut(tokens, maxLen)) found.cut += 1;
  }
  return found;
}

/** Moves the history slider through the run that is shown, from its first step to its last. */
import { prefersLessMotion } from "../ui/theme.js";

/** The whole run takes about this long. */
const SECONDS = 12;
/** Slow playback takes this many times as long. */
const SLOWER = 5;

export class Playback {
  /**
   * @param {import("./store.js").Store} store
   * @param {(isPlaying: boolean, isAtEnd: boolean) => void} onChange
   */
  constructor(store, onChange) {
    this.store = store;
    this.onChange = onChange;
    this.isPlaying = false;
    this.isSlow = false;
    /** Step that it has come to, with its fraction, and when. */
    this.position = 0;
    this.last = 0;
  }

  play() {
    if (this.isPlaying || this.store.newest === 0) return;
    this.isPlaying = true;
    const { store } = this;
    if ((store.pinned ?? store.newest) >= store.newest) store.pin(0);
    this.position = store.pinned ?? 0;
    this.last = performance.now();
    requestAnimationFrame((now) => this.tick(now));
    this.onChange(true, false);
  }

  pause() {
    if (!this.isPlaying) return;
    this.isPlaying = false;
    this.onChange(false, false);
  }

  /** @private */
  tick(/** @type {number} */ now) {
    if (!this.isPlaying) return;
    const { store } = this;
    this.position += ((now - this.last) / 1000) * (store.newest / (this.isSlow ? SLOWER * SECONDS : SECONDS));
    this.last = now;
    if (this.position >= store.newest) {
      this.isPlaying = false;
      store.pin(null);
      this.onChange(false, true);
      return;
    }
    store.pin(this.pace(this.position));
    requestAnimationFrame((next) => this.tick(next));
  }

  /** With reduced motion the slider jumps in eight parts instead of gliding. */
  pace(/** @type {number} */ position) {
    const part = prefersLessMotion() ? this.store.newest / 8 : 1;
    return Math.floor(position / part) * part;
  }
}

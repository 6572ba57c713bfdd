/** Which tab keeps its run: the first that trains, until another one takes over. */
const NAME = "driftscope-run";
/** How long the other tab may take to write its run. */
const PATIENCE_MS = 15_000;

export class RunLock {
  /** @param {{asked: () => void, lost: () => void}} hooks  `asked`: another tab wants the run; `lost`: it has taken it */
  constructor({ asked, lost }) {
    this.lost = lost;
    /** Whether this tab is the one. */
    this.isHere = false;
    /** @type {() => void} */
    this.release = () => {};
    this.channel = "BroadcastChannel" in globalThis ? new BroadcastChannel(NAME) : null;
    this.channel?.addEventListener("message", () => asked());
  }

  /** Whether this tab may keep its run. */
  async take() {
    return this.isHere || this.request({ ifAvailable: true });
  }

  /** Whether another tab keeps its run. */
  async isElsewhere() {
    const { held = [] } = (await navigator.locks?.query()) ?? {};
    return !this.isHere && held.some(({ name }) => name === NAME);
  }

  /** Has the tab that keeps its run stop, write it and leave it to this one; a tab that does not answer loses it. */
  async takeOver() {
    this.channel?.postMessage("hand over");
    await this.request({ signal: AbortSignal.timeout(PATIENCE_MS) }).catch(() => this.request({ steal: true }));
  }

  /** @private @returns {Promise<boolean>} whether it was granted */
  request(/** @type {LockOptions} */ options) {
    if (!navigator.locks) return Promise.resolve((this.isHere = true));
    return new Promise((resolve, reject) => {
      const left = () => {
        this.isHere = false;
      };
      const hold = (/** @type {Lock | null} */ lock) => {
        this.isHere = lock !== null;
        resolve(this.isHere);
        if (lock === null) return undefined;
        return new Promise((/** @type {(value?: undefined) => void} */ done) => {
          this.release = () => {
            left();
            done();
          };
        });
      };
      navigator.locks.request(NAME, options, hold).catch((error) => {
        if (!this.isHere) return reject(error); // it was not granted in time
        left();
        this.lost();
      });
    });
  }
}

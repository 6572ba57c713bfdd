/**
 * The runs of this visit, trained, recorded or opened: each can be shown again, and its arms laid over the charts.
 *
 * @typedef {import("../contract/types.js").RunEvent} RunEvent
 * @typedef {import("./store.js").Run} Run
 * @typedef {{id: number, run: Run, events: RunEvent[], source: import("./store.js").Source}} Kept
 *   `events`: those of the run that is shown go on growing
 */
import { differences } from "./settings.js";
import { Store } from "./store.js";

/** More are forgotten, the oldest first: each is some hundred kilobytes. */
const MOST = 30;

export class Runs {
  constructor(/** @type {Store} */ store) {
    this.store = store;
    /** In the order in which they came. @type {Kept[]} */
    this.kept = [];
    this.count = 0;
    /** What is laid over the charts: `ID ARM`. @type {Set<string>} */
    this.overlaid = new Set();
    /** Stores of runs that are not shown. @type {WeakMap<Run, Store>} */
    this.stores = new WeakMap();
    /** The run that was shown last. @type {Run | null} */
    this.last = null;
    /** The run whose place the next one takes. @type {Run | null} */
    this.replacing = null;
    store.subscribe(() => this.take());
  }

  /** Keeps the run that is shown, unless it is kept already. @private */
  take() {
    const { run, events, source } = this.store;
    if (!run) return;
    const known = this.kept.find((kept) => kept.run === run);
    if (known) known.events = events;
    else this.kept.push({ id: (this.count += 1), run, events, source });
    if (this.last === run) return;
    if (this.replacing && this.replacing !== run) {
      this.kept = this.kept.filter((kept) => kept.run !== this.replacing);
      this.replacing = null;
    }
    const { fork } = run;
    const parent = this.kept.find((kept) => kept.run === this.last);
    this.last = run;
    // A fork is shown beside the run that it leaves.
    const isFork = fork && parent && !known && differences(fork.settings, parent.run.settings).length === 0;
    if (isFork) for (const { id } of parent.run.settings.arms) this.overlaid.add(`${parent.id} ${id}`);
    this.overlay(); // another run is shown: the others lie over it
    if (this.kept.length > MOST) this.forget(this.kept[0].id);
  }

  /** The run that is shown. */
  get shown() {
    return this.kept.find(({ run }) => run === this.store.run) ?? null;
  }

  /** A run with all its figures. @returns {Store} */
  open(/** @type {Kept} */ { run, events, source }) {
    if (run === this.store.run) return this.store;
    const known = this.stores.get(run);
    if (known) return known;
    const store = new Store();
    store.show(events, source);
    this.stores.set(run, store);
    return store;
  }

  show(/** @type {number} */ id) {
    const kept = this.kept.find((one) => one.id === id);
    if (!kept) return;
    const { source } = kept;
    this.store.show(kept.events, source.kind === "live" ? { ...source, kind: "kept" } : source);
  }

  /** The next run goes on from the one that is shown, and takes its place. */
  replace() {
    this.replacing = this.store.run;
  }

  /** Forgets a run; the one that is shown stays. */
  forget(/** @type {number} */ id) {
    if (this.shown?.id === id) return;
    this.kept = this.kept.filter((one) => one.id !== id);
    for (const key of this.overlaid) if (key.startsWith(`${id} `)) this.overlaid.delete(key);
    this.overlay();
  }

  isOverlaid(/** @type {number} */ id, /** @type {string} */ arm) {
    return this.overlaid.has(`${id} ${arm}`);
  }

  /** Lays an arm of a run over the charts, or takes it away. */
  setOverlaid(/** @type {number} */ id, /** @type {string} */ arm, /** @type {boolean} */ isOn) {
    if (isOn) this.overlaid.add(`${id} ${arm}`);
    else this.overlaid.delete(`${id} ${arm}`);
    this.overlay();
  }

  /** Hands the store what is laid over the run that it shows. @private */
  overlay() {
    const { shown } = this;
    this.store.overlay(
      this.kept.flatMap((kept) => {
        const arms = kept.run.settings.arms.map(({ id }) => id).filter((arm) => this.isOverlaid(kept.id, arm));
        if (kept === shown || arms.length === 0) return [];
        const store = this.open(kept);
        return arms.map((arm) => ({ label: `${kept.id}: ${store.label(arm)}`, place: store.placeOf(arm), log: store.log(arm) }));
      }),
    );
  }
}

/**
 * Entries of several lists as columns over one axis of steps, as uPlot wants them. They are extended as entries come
 * and never made anew, so that a long run costs no more a frame than a short one.
 */
export class Columns {
  /** @param {number} width columns @param {number[]} x steps that the axis has from the start */
  constructor(width, x) {
    this.x = x;
    /** Null where a list has no entry at a step. @type {(number | null)[][]} */
    this.values = Array.from({ length: width }, () => x.map(() => null));
    this.taken = new Array(width).fill(0);
  }

  /** Takes the entries of `list` that column `i` does not have yet; `list` may only have grown. */
  extend(/** @type {number} */ i, /** @type {{step: number}[]} */ list, /** @type {(entry: any) => number | null | undefined} */ pick) {
    for (; this.taken[i] < list.length; this.taken[i] += 1) {
      const entry = list[this.taken[i]];
      const value = pick(entry);
      this.values[i][this.rowOf(entry.step)] = Number.isFinite(value) ? (value ?? null) : null;
    }
  }

  /** The row of a step, which is put in where there is none. @private */
  rowOf(/** @type {number} */ step) {
    let low = 0;
    let high = this.x.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.x[middle] < step) low = middle + 1;
      else high = middle;
    }
    if (this.x[low] !== step) {
      this.x.splice(low, 0, step);
      for (const column of this.values) column.splice(low, 0, null);
    }
    return low;
  }
}

/** Rows that are edited, where they come from, and what can be undone. A row is never changed, only replaced. */
import { t } from "../ui/text.js";

/**
 * @typedef {Omit<import("./containers.js").Reading<any>, "rows">} Recognised
 * @typedef {{id: string, name: string, read: Recognised}} Source  `id`: of rows that ship, "own" otherwise
 * @typedef {"opened" | "edited" | "typed"} Kind
 */

/**
 * @template Row
 * @typedef {{at: number, removed: Row[], added: Row[], from: Source | null, to: Source | null, kind: Kind,
 *   label: string}} Change
 */

/** @template {object} Row */
export class Edits {
  constructor() {
    /** @type {readonly Row[]} another list after each change */
    this.rows = [];
    /** @type {Source | null} */
    this.source = null;
    /** @type {Change<Row>[]} */
    this.done = [];
    /** @type {Change<Row>[]} */
    this.undone = [];
  }

  /** Whether the rows are other than those that were opened. */
  get isEdited() {
    const last = this.done.at(-1);
    return last !== undefined && last.kind !== "opened";
  }

  /** What Undo and Redo would do, in words; "" for nothing. */
  get labels() {
    return { undo: this.done.at(-1)?.label ?? "", redo: this.undone.at(-1)?.label ?? "" };
  }

  /** Begins anew: there is nothing to undo. */
  start(/** @type {Row[]} */ rows, /** @type {Source} */ source) {
    [this.rows, this.source, this.done, this.undone] = [rows, source, [], []];
  }

  /** Other rows: a file, what was pasted, a set that ships. */
  open(/** @type {Row[]} */ rows, /** @type {Source} */ source) {
    this.apply({ ...this.replacement(rows, source), kind: "opened", label: t("edits.open", { name: source.name }) });
  }

  /** Rows from a text that is being typed: one change until something else happens. */
  type(/** @type {Row[]} */ rows, /** @type {Source} */ source) {
    if (this.done.at(-1)?.kind === "typed") this.undo();
    this.apply({ ...this.replacement(rows, source), kind: "typed", label: t("edits.edit-text") });
  }

  add(/** @type {Row} */ row) {
    this.splice(this.rows.length, 0, [row], t("edits.add"));
  }

  edit(/** @type {number} */ index, /** @type {Row} */ row) {
    this.splice(index, 1, [row], t("edits.edit", { row: String(index + 1) }));
  }

  remove(/** @type {number} */ index) {
    this.splice(index, 1, [], t("edits.delete", { row: String(index + 1) }));
  }

  /** Takes back the last change, and returns it. */
  undo() {
    const change = this.done.pop();
    if (!change) return null;
    this.swap(change.at, change.added.length, change.removed, change.from);
    this.undone.push(change);
    return change;
  }

  /** Takes back all changes since the set was opened; each can be made again. */
  undoAll() {
    while (this.isEdited) this.undo();
  }

  /** Makes the change again that was last taken back, and returns it. */
  redo() {
    const change = this.undone.pop();
    if (!change) return null;
    this.swap(change.at, change.removed.length, change.added, change.to);
    this.done.push(change);
    return change;
  }

  /** @private */
  replacement(/** @type {Row[]} */ rows, /** @type {Source} */ source) {
    return { at: 0, removed: [...this.rows], added: rows, from: this.source, to: source };
  }

  /** @private */
  splice(
    /** @type {number} */ at,
    /** @type {number} */ count,
    /** @type {Row[]} */ added,
    /** @type {string} */ label,
  ) {
    const removed = this.rows.slice(at, at + count);
    this.apply({ at, removed, added, from: this.source, to: this.source, kind: "edited", label });
  }

  /** @private */
  apply(/** @type {Change<Row>} */ change) {
    this.swap(change.at, change.removed.length, change.added, change.to);
    this.done.push(change);
    this.undone = [];
  }

  /** @private */
  swap(
    /** @type {number} */ at,
    /** @type {number} */ count,
    /** @type {Row[]} */ added,
    /** @type {Source | null} */ source,
  ) {
    this.rows = [...this.rows.slice(0, at), ...added, ...this.rows.slice(at + count)];
    this.source = source;
  }
}

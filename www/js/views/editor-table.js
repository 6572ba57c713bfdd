/** Rows as a table, a page at a time: searched, edited in place, deleted. What a row's cells are, its editor says. */
import { say } from "../ui/alerts.js";
import { el, find, findAll, setText, update } from "../ui/dom.js";
import { count } from "../ui/format.js";
import { t } from "../ui/text.js";
import { makeRowForm } from "./editor-form.js";

const ON_A_PAGE = 50;
/** Letters of a text that a cell shows; the form has them all. */
const IN_A_CELL = 400;

export const shortened = (/** @type {string} */ text) => (text.length > IN_A_CELL ? `${text.slice(0, IN_A_CELL)}…` : text);

function numbered(/** @type {HTMLElement} */ line, /** @type {number} */ index) {
  line.dataset.row = String(index);
  setText(find("th", line), count(index + 1));
  return line;
}

/**
 * @template {object} Row
 * @typedef {{cells: (row: Row) => HTMLElement[], has: (row: Row, words: string) => boolean, blank: () => Row,
 *   fields: (row: Row) => import("./editor-form.js").Field[], written: (row: Row, texts: string[]) => Row}} Look
 *   `cells`: those between a row's number and its buttons; `has`: whether it has these words, in lower case; `written`: the row
 *   with other texts in its fields, throws a RowError
 */

/** @template {object} Row */
export class EditorTable {
  /**
   * @param {string} prefix of the editor's elements
   * @param {import("../state/edits.js").Edits<Row>} edits
   * @param {Look<Row>} look
   * @param {() => void} changed called after an edit; draws
   */
  constructor(prefix, edits, look, changed) {
    this.edits = edits;
    this.look = look;
    this.changed = changed;
    this.page = 0;
    /** What is edited: a row of the table, or one that is not in it yet. @type {{row: Row, line: HTMLElement} | null} */
    this.editing = null;
    this.table = find(`${prefix}-table`);
    this.body = find("tbody", this.table);
    this.filter = find(`${prefix}-filter`);
    this.filter.addEventListener("input", () => this.turnTo(0));
    this.shown = find(`${prefix}-shown`);
    this.before = find(`${prefix}-before`);
    this.next = find(`${prefix}-next`);
    this.before.addEventListener("click", () => this.turnTo(this.page - 1));
    this.next.addEventListener("click", () => this.turnTo(this.page + 1));
    this.adds = find(`${prefix}-add`);
    this.adds.addEventListener("click", () => this.add());
  }

  /** Whether a row is among those that are looked for. @protected */
  isWanted(/** @type {Row} */ row, /** @type {string} */ words) {
    return words === "" || this.look.has(row, words);
  }

  /** Looks for all rows. */
  showAll() {
    this.filter.value = "";
  }

  /** The rows that are looked for, with their places. @private */
  found() {
    const words = this.filter.value.toLowerCase();
    return this.edits.rows.map((row, index) => ({ row, index })).filter(({ row }) => this.isWanted(row, words));
  }

  /** @protected */
  turnTo(/** @type {number} */ page) {
    this.page = page;
    this.draw();
  }

  draw() {
    const found = this.found();
    const pages = Math.max(1, Math.ceil(found.length / ON_A_PAGE));
    this.page = Math.min(Math.max(this.page, 0), pages - 1);
    const from = this.page * ON_A_PAGE;
    const shown = found.slice(from, from + ON_A_PAGE);
    const lines = shown.map(({ row, index }) => {
      if (this.editing?.row !== row) return this.line(row, index);
      return numbered(this.editing.line, index); // rows above it may have gone
    });
    const isNew = this.editing !== null && this.editing.line.dataset.row === "new";
    const focused = document.activeElement;
    this.body.replaceChildren(...(isNew ? [/** @type {any} */ (this.editing).line] : []), ...lines);
    if (focused instanceof HTMLElement && focused !== document.activeElement && this.body.contains(focused))
      focused.focus();
    if (!isNew && this.editing && !this.edits.rows.includes(this.editing.row)) this.editing = null; // undone meanwhile
    const all = this.edits.rows.length;
    const place = { from: from + 1, to: from + shown.length, found: found.length, all };
    const some = found.length === all ? t("editor-table.shown", place) : t("editor-table.shown-found", place);
    const none = all === 0 ? t("editor-table.no-row") : t("editor-table.none-found");
    setText(this.shown, shown.length === 0 ? none : some);
    update(this.before, { disabled: this.page === 0 });
    update(this.next, { disabled: this.page === pages - 1 });
    if (focused === this.next && this.next.disabled) this.before.focus();
    if (focused === this.before && this.before.disabled) this.next.focus();
    this.drawn(shown.map(({ row }) => row));
  }

  /** Adds to the rows on the page what comes by and by. @protected */
  drawn(/** @type {Row[]} */ _shown) {}

  /** @private */
  line(/** @type {Row} */ row, /** @type {number} */ index) {
    const values = { row: index + 1 };
    const button = (
      /** @type {"Edit" | "Delete"} */ act,
      /** @type {string} */ name,
      /** @type {string} */ word,
      /** @type {() => void} */ onclick,
    ) => el("button", { type: "button", "data-act": act, "aria-label": name, onclick }, word);
    return el(
      "tr",
      { role: "row", "data-row": index },
      el("th", { scope: "row", role: "rowheader" }, count(index + 1)),
      ...this.look.cells(row),
      el(
        "td",
        { role: "cell" },
        button("Edit", t("editor-table.edit-row", values), t("editor-table.edit"), () => this.edit(row, index)),
        " ",
        button("Delete", t("editor-table.delete-row", values), t("editor-table.delete"), () => this.remove(index)),
      ),
    );
  }

  /** @private */
  edit(/** @type {Row} */ row, /** @type {number} */ index) {
    this.open(row, String(index), t("editor-table.row", { row: index + 1 }), {
      save: (texts) => {
        const at = this.edits.rows.indexOf(row); // others may have been added or deleted
        const before = this.look.fields(row);
        if (texts.some((text, i) => text !== before[i].text)) this.edits.edit(at, this.look.written(row, texts));
        this.close(at);
        say(t("editor-table.changed", { row: at + 1 }));
      },
      cancel: () => this.close(this.edits.rows.indexOf(row)),
    });
  }

  /** @private */
  add() {
    const blank = this.look.blank();
    this.open(blank, "new", t("editor-table.new-row"), {
      save: (texts) => {
        this.edits.add(this.look.written(blank, texts));
        this.showAll();
        this.page = Infinity;
        this.close(this.edits.rows.length - 1);
        say(t("editor-table.added", { row: this.edits.rows.length }));
      },
      cancel: () => {
        this.close(-1);
        this.adds.focus();
      },
    });
  }

  /** @private */
  open(
    /** @type {Row} */ row,
    /** @type {string} */ place,
    /** @type {string} */ name,
    /** @type {{save: (texts: string[]) => void, cancel: () => void}} */ actions,
  ) {
    const { form, focus } = makeRowForm(name, this.look.fields(row), actions);
    const head = el("th", { scope: "row", role: "rowheader" }, t("editor-table.new"));
    const line = el(
      "tr",
      { role: "row", class: "editing", "data-row": place },
      head,
      el("td", { role: "cell", colspan: findAll("thead th", this.table).length - 1 }, form),
    );
    this.editing = { row, line };
    this.draw();
    focus();
  }

  /** Ends editing; the keyboard goes on at the row's button. @private */
  close(/** @type {number} */ index) {
    this.editing = null;
    this.changed();
    this.body.querySelector(`[data-row="${index}"] [data-act=Edit]`)?.focus();
  }

  /** @private */
  remove(/** @type {number} */ index) {
    const lines = findAll("[data-act=Delete]", this.body);
    const place = lines.findIndex((button) => button.closest("tr").dataset.row === String(index));
    this.edits.remove(index);
    this.changed();
    const left = findAll("[data-act=Delete]", this.body);
    (left[Math.min(place, left.length - 1)] ?? this.adds).focus();
    say(t("editor-table.deleted", { row: index + 1 }));
  }
}

/** The rows of an instruction set as a table, a page at a time: searched, edited in place, deleted. */
import { isCut, isMute } from "../state/token-counts.js";
import { say } from "../ui/alerts.js";
import { el, find, findAll, setText, update } from "../ui/dom.js";
import { count } from "../ui/format.js";
import { makeRowForm } from "./instructions-row.js";

/** @typedef {import("../state/dataset.js").Row} Row */

const ON_A_PAGE = 50;
/** Letters of a text that a cell shows; the form has them all. */
const IN_A_CELL = 400;

const shortened = (/** @type {string} */ text) => (text.length > IN_A_CELL ? `${text.slice(0, IN_A_CELL)}…` : text);

function numbered(/** @type {HTMLElement} */ line, /** @type {number} */ index) {
  line.dataset.row = String(index);
  setText(find("th", line), count(index + 1));
  return line;
}

export class InstructionsTable {
  /**
   * @param {import("../state/dataset-edits.js").Edits} edits
   * @param {import("../state/token-counts.js").TokenCounts} counts
   * @param {() => void} changed called after an edit; draws
   */
  constructor(edits, counts, changed) {
    this.edits = edits;
    this.counts = counts;
    this.changed = changed;
    this.maxLen = Infinity;
    this.page = 0;
    /** What is edited: a row of the set, or one that is not in it yet. @type {{row: Row, line: HTMLElement} | null} */
    this.editing = null;
    this.body = find("#instructions-table tbody");
    find("#instructions-filter").addEventListener("input", () => this.turnTo(0));
    find("#instructions-cut").addEventListener("change", () => this.turnTo(0));
    this.before = find("#instructions-before");
    this.next = find("#instructions-next");
    this.before.addEventListener("click", () => this.turnTo(this.page - 1));
    this.next.addEventListener("click", () => this.turnTo(this.page + 1));
    find("#instructions-add").addEventListener("click", () => this.add());
  }

  /** The rows that are looked for, with their places in the set. @private */
  found() {
    const wanted = find("#instructions-filter").value.toLowerCase();
    const onlyCut = find("#instructions-cut").checked;
    const all = this.edits.rows.map((row, index) => ({ row, index }));
    if (wanted === "" && !onlyCut) return all;
    const has = (/** @type {string} */ text) => text.toLowerCase().includes(wanted);
    return all.filter(
      ({ row }) =>
        (!onlyCut || isCut(this.counts.of(row), this.maxLen)) &&
        (has(row.question) || has(row.answer) || row.turns?.some((turn) => has(turn.content))),
    );
  }

  /** @private */
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
    const all = found.length === this.edits.rows.length ? "" : ` found, in all ${count(this.edits.rows.length)}`;
    const place = `Rows ${count(from + 1)} to ${count(from + shown.length)} of ${count(found.length)}${all}`;
    setText(find("#instructions-shown"), shown.length === 0 ? "No row is found." : place);
    update(this.before, { disabled: this.page === 0 });
    update(this.next, { disabled: this.page === pages - 1 });
    if (focused === this.next && this.next.disabled) this.before.focus();
    if (focused === this.before && this.before.disabled) this.next.focus();
    this.drawTokens();
    this.counts.want(
      this.edits.rows,
      shown.map(({ row }) => row),
    );
  }

  /** The counts alone: they come while someone writes in a row. */
  drawTokens() {
    for (const line of findAll("tr:not(.editing)", this.body)) {
      const row = this.edits.rows[Number(line.dataset.row)];
      const tokens = row ? this.counts.of(row) : null;
      const mark = !tokens ? "" : this.mark(tokens);
      const isUnusable = tokens !== null && (tokens.refused || isMute(tokens, this.maxLen));
      const whole = !tokens || tokens.refused ? "" : count(tokens.prompt + tokens.response);
      const marked = el("span", { class: isUnusable ? "cut unusable" : "cut" }, mark);
      line.cells[3].replaceChildren(el("span", { class: "number" }, whole), ...(mark === "" ? [] : [marked]));
    }
  }

  /** @private */
  mark(/** @type {import("../contract/types.js").RowTokens} */ tokens) {
    if (tokens.refused) return `not usable: ${tokens.refused}`;
    if (!isCut(tokens, this.maxLen)) return "";
    return isMute(tokens, this.maxLen) ? `cut at ${this.maxLen}, before its answer` : `cut at ${this.maxLen}`;
  }

  /** @private */
  line(/** @type {Row} */ row, /** @type {number} */ index) {
    const name = `row ${count(index + 1)}`;
    const turns = row.turns ? [el("span", { class: "turns" }, `${row.turns.length} turns, the last two:`)] : [];
    const button = (/** @type {string} */ word, /** @type {() => void} */ act) =>
      el("button", { type: "button", "data-act": word, "aria-label": `${word} ${name}`, onclick: act }, word);
    return el(
      "tr",
      { role: "row", "data-row": index },
      el("th", { scope: "row", role: "rowheader" }, count(index + 1)),
      el("td", { role: "cell" }, ...turns, shortened(row.question)),
      el("td", { role: "cell" }, shortened(row.answer)),
      el("td", { role: "cell", class: "tokens" }),
      el(
        "td",
        { role: "cell" },
        button("Edit", () => this.edit(row, index)),
        " ",
        button("Delete", () => this.remove(index)),
      ),
    );
  }

  /** @private */
  edit(/** @type {Row} */ row, /** @type {number} */ index) {
    this.open(row, String(index), `Row ${count(index + 1)}`, {
      save: (changed) => {
        const at = this.edits.rows.indexOf(row); // others may have been added or deleted
        if (changed.question !== row.question || changed.answer !== row.answer || changed.turns)
          this.edits.edit(at, changed);
        this.close(at);
        say(`Row ${count(at + 1)} is changed. Undo takes it back.`);
      },
      cancel: () => this.close(this.edits.rows.indexOf(row)),
    });
  }

  /** @private */
  add() {
    this.open({ question: "", answer: "" }, "new", "New row", {
      save: (row) => {
        this.edits.add(row);
        find("#instructions-filter").value = "";
        find("#instructions-cut").checked = false;
        this.page = Infinity;
        this.close(this.edits.rows.length - 1);
        say(`Row ${count(this.edits.rows.length)} is added. Undo takes it back.`);
      },
      cancel: () => {
        this.close(-1);
        find("#instructions-add").focus();
      },
    });
  }

  /** @private */
  open(
    /** @type {Row} */ row,
    /** @type {string} */ place,
    /** @type {string} */ name,
    /** @type {{save: (row: Row) => void, cancel: () => void}} */ actions,
  ) {
    const { form, focus } = makeRowForm(row, name, actions);
    const head = el("th", { scope: "row", role: "rowheader" }, "New");
    const line = el(
      "tr",
      { role: "row", class: "editing", "data-row": place },
      head,
      el("td", { role: "cell", colspan: 4 }, form),
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
    (left[Math.min(place, left.length - 1)] ?? find("#instructions-add")).focus();
    say(`Row ${count(index + 1)} is deleted. Undo brings it back.`);
  }
}

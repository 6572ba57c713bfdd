/** Rows that a visitor brings and edits: what they were read from, their table and their text, undo and redo. */
import { containerOf } from "../state/containers.js";
import { loadCsv } from "../state/csv.js";
import { Edits } from "../state/edits.js";
import { say } from "../ui/alerts.js";
import { download, find, setText, update } from "../ui/dom.js";
import { t } from "../ui/text.js";
import { FileError, listenForRows, textOf } from "./editor-files.js";
import { drawReport, why } from "./editor-report.js";
import { EditorText } from "./editor-text.js";

/**
 * @typedef {import("../state/containers.js").CsvReader} CsvReader
 * @typedef {import("../state/edits.js").Source} Source
 */

/**
 * @template {object} Row
 * @typedef {{prefix: string, file: string, remains: string, columns: import("../state/containers.js").Columns,
 *   names: import("./editor-report.js").Names, write: (rows: readonly Row[]) => string,
 *   read: (text: string, name: string, csv: CsvReader | null) => import("../state/containers.js").Reading<Row>}} Kind
 *   `prefix`: of the editor's elements; `file`: that the rows are saved as; `remains`: "The set stays as it was."
 */

/** What is fetched, or why it can't be had. @template T */
export async function arrived(/** @type {Promise<T>} */ wanted, /** @type {string} */ name) {
  try {
    return await wanted;
  } catch (error) {
    throw new FileError(t("editor.did-not-come", { name, reason: /** @type {Error} */ (error).message }));
  }
}

/** @template {object} Row */
export class Editor {
  /**
   * @param {Kind<Row>} kind
   * @param {(edits: Edits<Row>, changed: () => void) => import("./editor-table.js").EditorTable<Row>} makeTable
   * @param {() => void} changed called after each change
   */
  constructor(kind, makeTable, changed) {
    this.kind = kind;
    this.onChange = changed;
    /** @type {Edits<Row>} */
    this.edits = new Edits();
    /** Why no file was opened; "" after the next that is. */
    this.refusal = "";
    /** @type {CsvReader | null} */
    this.csv = null;
    /** What is read is the newest that was asked for. */
    this.wanted = 0;
    /** Texts that are on their way. */
    this.reading = 0;
    /** @type {{rows: unknown, text: string}} */
    this.written = { rows: null, text: "" };
    const { prefix, file, write } = kind;
    this.table = makeTable(this.edits, () => this.changed());
    this.typing = new EditorText(prefix, this.edits, { write, read: (text) => this.type(text) });
    listenForRows(prefix, {
      open: (chosen) => this.open(chosen),
      paste: (text) => this.bring(text, t("editor.pasted")),
      askForText: () => {
        this.typing.focus();
        say(t("editor.no-clipboard"));
      },
    });
    find(prefix).addEventListener("toggle", () => this.draw());
    this.button("undo").addEventListener("click", () => this.undo());
    this.button("redo").addEventListener("click", () => this.redo());
    this.button("restore").addEventListener("click", () => this.undoAll());
    find(prefix).addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.listen(event));
    this.button("save").addEventListener("click", () => download(file, this.text, "application/jsonl"));
  }

  /** @private */
  button(/** @type {string} */ name) {
    return find(`${this.kind.prefix}-${name}`);
  }

  get isOpen() {
    return find(this.kind.prefix).open;
  }

  /** The rows as the engine reads them. */
  get text() {
    const { rows } = this.edits;
    if (this.written.rows !== rows) this.written = { rows, text: this.kind.write(rows) };
    return this.written.text;
  }

  /** Why no run can be made now, "" when one can. */
  get error() {
    return this.reading > 0 ? t("editor.reading") : this.problem;
  }

  /** What is wrong with the rows; "" for nothing. @protected */
  get problem() {
    return "";
  }

  /** What the rows are, in the editor's head. @protected */
  get title() {
    const { source, rows, isEdited } = this.edits;
    const title = `${source?.name ?? ""}, ${rows.length}`;
    return isEdited ? t("editor.edited", { title }) : title;
  }

  /** Reads what has been typed and not been read yet; a run is about to start. */
  flush() {
    this.typing.flush();
  }

  /** @private */
  open(/** @type {File} */ file) {
    return this.attempt(async () => this.bring(await textOf(file), file.name));
  }

  /** Rows that someone brings. @private */
  bring(/** @type {string} */ text, /** @type {string} */ name) {
    return this.attempt(async () => {
      const wanted = ++this.wanted;
      if (this.needsCsv(text, name)) this.csv = await arrived(loadCsv(), t("editor.csv-reader"));
      if (wanted !== this.wanted) return;
      const { rows, ...found } = this.kind.read(text, name, this.csv);
      const [bad] = found.bad;
      if (rows.length === 0 && bad) throw new FileError(t("editor.no-row-why", { name, why: why(bad) }));
      if (rows.length === 0) throw new FileError(t("editor.no-row", { name }));
      this.opened(rows, { id: "own", name, read: found });
    });
  }

  /** Does `work`, and says why where it fails; until then no run begins. @protected */
  async attempt(/** @type {() => Promise<void>} */ work) {
    this.reading += 1;
    try {
      await work();
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      this.refusal = `${error.message}. ${this.kind.remains}`;
      this.draw();
      if (!this.isOpen) say(this.refusal);
    } finally {
      this.reading -= 1;
    }
  }

  /** Other rows in the place of these. @protected */
  opened(/** @type {Row[]} */ rows, /** @type {Source} */ source) {
    this.edits.open(rows, source);
    this.table.page = 0;
    this.table.showAll();
    this.changed();
  }

  /** @private */
  needsCsv(/** @type {string} */ text, /** @type {string} */ name) {
    return this.csv === null && ["csv", "tsv"].includes(containerOf(text, name, this.kind.columns));
  }

  /** What has been typed as text; the text stays as it is, also where rows of it can't be used. @private */
  type(/** @type {string} */ text) {
    const wanted = ++this.wanted;
    const take = () => {
      if (wanted !== this.wanted) return;
      const { rows, ...found } = this.kind.read(text, "", this.csv);
      const { id = "own", name = t("editor.the-text") } = this.edits.source ?? {};
      this.edits.type(rows, { id, name, read: found });
      this.typing.agree();
      this.changed();
    };
    if (!this.needsCsv(text, "")) return take(); // at once: a run may be about to start
    this.attempt(async () => {
      this.csv = await arrived(loadCsv(), t("editor.csv-reader"));
      take();
    });
  }

  /** @private */
  undo() {
    const change = this.edits.undo();
    if (!change) return;
    this.changed();
    say(t("editor.undone", { change: change.label }));
    this.keepFocus("undo", "redo");
  }

  /** @private */
  redo() {
    const change = this.edits.redo();
    if (!change) return;
    this.changed();
    say(t("editor.redone", { change: change.label }));
    this.keepFocus("redo", "undo");
  }

  /** @private */
  undoAll() {
    this.edits.undoAll();
    this.changed();
    say(t("editor.all-undone"));
    this.keepFocus("restore", "redo");
  }

  /** A button that has nothing more to do leaves the keyboard to its counterpart. @private */
  keepFocus(/** @type {string} */ used, /** @type {string} */ other) {
    if (this.button(used).disabled) this.button(other).focus();
  }

  /** Text fields undo by themselves. @private */
  listen(/** @type {KeyboardEvent} */ event) {
    const isTyping = event.target instanceof Element && event.target.closest("textarea, input");
    if (isTyping || !(event.ctrlKey || event.metaKey) || event.altKey) return;
    const key = event.key.toLowerCase();
    if (key === "z" && !event.shiftKey) this.undo();
    else if (key === "y" || key === "z") this.redo();
    else return;
    event.preventDefault();
  }

  /** @protected */
  changed() {
    this.refusal = "";
    this.draw();
    this.onChange();
  }

  draw() {
    const { prefix, names } = this.kind;
    const { source, labels, isEdited } = this.edits;
    setText(find(`${prefix}-count`), this.title);
    setText(find(`${prefix}-error`), this.refusal || this.problem);
    if (!this.isOpen) return;
    drawReport(prefix, source, names);
    for (const [name, label] of [
      ["undo", labels.undo],
      ["redo", labels.redo],
    ]) {
      update(this.button(name), { disabled: label === "", title: label });
    }
    update(this.button("restore"), { disabled: !isEdited });
    this.table.draw();
    this.typing.draw();
  }
}

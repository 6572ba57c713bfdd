/** Rows as text. What is typed is read after a pause; what is done in the table is written here. */
import { find, setText, update } from "../ui/dom.js";
import { bytes } from "../ui/format.js";
import { t } from "../ui/text.js";

const PAUSE_MS = 300;
/** Longer texts make a browser's text area crawl. */
const LONGEST = 5e6;

/** @template {object} Row */
export class EditorText {
  /**
   * @param {string} prefix of the editor's elements
   * @param {import("../state/edits.js").Edits<Row>} edits
   * @param {{write: (rows: readonly Row[]) => string, read: (text: string) => void}} hooks  `read` takes what was typed
   */
  constructor(prefix, edits, { write, read }) {
    this.prefix = prefix;
    this.edits = edits;
    this.write = write;
    this.read = read;
    this.area = find(`${prefix}-text`);
    this.isPending = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    /** The rows that the text says. @type {unknown} */
    this.shown = null;
    this.area.addEventListener("input", () => {
      this.isPending = true;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.flush(), PAUSE_MS);
    });
    find(`${prefix}-as-text`).addEventListener("toggle", () => this.draw());
  }

  /** Reads what has been typed and not been read yet. */
  flush() {
    clearTimeout(this.timer);
    if (!this.isPending) return;
    this.isPending = false;
    this.read(this.area.value);
  }

  /** The rows are what the text says: it stays as it was typed. */
  agree() {
    this.shown = this.edits.rows;
  }

  draw() {
    if (!find(`${this.prefix}-as-text`).open || this.shown === this.edits.rows) return;
    const text = this.write(this.edits.rows);
    const isLong = text.length > LONGEST;
    this.area.value = isLong ? "" : text;
    update(this.area, { disabled: isLong });
    setText(find(`${this.prefix}-text-note`), isLong ? t("editor-text.too-long", { size: bytes(text.length) }) : "");
    this.shown = this.edits.rows;
  }

  /** Shows where to paste. */
  focus() {
    find(`${this.prefix}-as-text`).open = true;
    this.draw();
    this.area.select();
    this.area.focus();
  }
}

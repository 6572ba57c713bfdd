/** The instruction set: a table to read, a text area to edit, a file to drop. */
import { el, find, setText } from "../ui/dom.js";
import { count } from "../ui/format.js";
import { LineError, parseInstructions } from "../state/instructions.js";

/** Rows of the table; the text area has them all. */
const SHOWN = 100;
const LARGEST = 50e6;

export class InstructionsEditor {
  constructor(/** @type {() => void} */ onChange) {
    this.onChange = onChange;
    this.original = "";
    this.text = "";
    /** @type {ReturnType<typeof parseInstructions>} */
    this.rows = [];
    this.error = "";
    this.isPending = false;
    this.timer = 0;
    this.area = find("#instructions-text");
    this.area.addEventListener("input", () => this.later());
    find("#instructions-restore").addEventListener("click", () => this.set(this.original));
    find("#instructions-file").addEventListener(
      "change",
      (/** @type {Event & {target: HTMLInputElement}} */ event) => this.open(event.target.files?.[0]),
    );
    find("#instructions").addEventListener("toggle", () => this.draw());
    find("#instructions-filter").addEventListener("input", () => this.draw());
    this.listenToDrops(find("#instructions"));
  }

  /** The set that the page came with. */
  load(/** @type {string} */ text) {
    this.original = text;
    this.set(text);
  }

  set(/** @type {string} */ text) {
    this.area.value = text;
    this.read();
  }

  /** @private */
  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.read(), 300);
    this.isPending = true;
  }

  /** Reads what has been typed and not been read yet; a run is about to start. */
  flush() {
    if (this.isPending) this.read();
  }

  /** Reads the text area. */
  read() {
    clearTimeout(this.timer);
    this.isPending = false;
    this.text = this.area.value;
    this.error = "";
    try {
      this.rows = parseInstructions(this.text);
    } catch (error) {
      if (!(error instanceof LineError)) throw error;
      this.rows = [];
      this.error = error.message;
    }
    this.area.setAttribute("aria-invalid", String(this.error !== ""));
    setText(find("#instructions-error"), this.error && `The set cannot be used: ${this.error}.`);
    const edited = this.text === this.original ? "" : ", edited";
    setText(find("#instructions-count"), this.error ? "error" : `${count(this.rows.length)} rows${edited}`);
    this.draw();
    this.onChange();
  }

  /** @private */
  draw() {
    if (!find("#instructions").open) return;
    const wanted = find("#instructions-filter").value.toLowerCase();
    const numbered = this.rows.map((row, i) => ({ ...row, number: i }));
    const found = numbered.filter((row) => `${row.question}\n${row.answer}`.toLowerCase().includes(wanted));
    const shown = found
      .slice(0, SHOWN)
      .map((row) =>
        el(
          "tr",
          {},
          el("th", { scope: "row" }, count(row.number + 1)),
          el("td", {}, row.question),
          el("td", {}, row.answer),
        ),
      );
    find("#instructions-table tbody").replaceChildren(...shown);
    setText(find("#instructions-shown"), `${count(shown.length)} of ${count(found.length)} matching rows`);
  }

  /** @private */
  async open(/** @type {File | undefined} */ file) {
    if (!file) return;
    if (file.size > LARGEST) {
      setText(find("#instructions-error"), `${file.name} is larger than 50 MB and was not opened.`);
      return;
    }
    this.set(await file.text());
  }

  /** @private */
  listenToDrops(/** @type {HTMLElement} */ zone) {
    zone.addEventListener("dragover", (event) => {
      event.preventDefault();
      zone.classList.add("dropping");
    });
    zone.addEventListener("dragleave", () => zone.classList.remove("dropping"));
    zone.addEventListener("drop", (event) => {
      event.preventDefault();
      zone.classList.remove("dropping");
      this.open(event.dataTransfer?.files[0]);
    });
  }
}

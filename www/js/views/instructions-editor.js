/** The instruction set: what it was read from, its table and its text, and what a run is made with. */
import { Edits } from "../state/dataset-edits.js";
import { loadCsv } from "../state/dataset-csv.js";
import { containerOf, read, write } from "../state/dataset.js";
import { SHIPPED_SETS } from "../state/shipped-sets.js";
import { TokenCounts } from "../state/token-counts.js";
import { say } from "../ui/alerts.js";
import { download, find, setText, update } from "../ui/dom.js";
import { plural } from "../ui/format.js";
import { FileError, listenForSets, textOf } from "./instructions-files.js";
import { drawReport, tokenSentence, why } from "./instructions-report.js";
import { InstructionsTable } from "./instructions-table.js";
import { InstructionsText } from "./instructions-text.js";

/** What is fetched, or why it can't be had. @template T */
async function arrived(/** @type {Promise<T>} */ wanted, /** @type {string} */ name) {
  try {
    return await wanted;
  } catch (error) {
    throw new FileError(`${name} did not come (${/** @type {Error} */ (error).message})`);
  }
}

export class InstructionsEditor {
  /**
   * @param {{changed: () => void, fetchText: (path: string) => Promise<string>,
   *   post: (command: import("../contract/types.js").Command) => void}} hooks
   */
  constructor({ changed, fetchText, post }) {
    this.onChange = changed;
    this.fetchText = fetchText;
    this.edits = new Edits();
    /** Why no file was opened; "" after the next that is. */
    this.refusal = "";
    /** @type {import("../state/dataset.js").CsvReader | null} */
    this.csv = null;
    /** What is read is the newest that was asked for. */
    this.wanted = 0;
    /** Sets that are on their way. */
    this.reading = 0;
    /** @type {{rows: unknown, text: string}} */
    this.written = { rows: null, text: "" };
    this.maxLen = Infinity;
    this.counts = new TokenCounts(post, () => this.drawTokens());
    this.table = new InstructionsTable(this.edits, this.counts, () => this.changed());
    this.typing = new InstructionsText(this.edits, (text) => this.type(text));
    listenForSets({
      open: (file) => this.open(file),
      paste: (text) => this.bring(text, "Pasted rows"),
      choose: (id) => this.choose(id),
      askForText: () => {
        this.typing.focus();
        say("This browser does not let the page read the clipboard: paste into the text.");
      },
    });
    find("#instructions").addEventListener("toggle", () => this.draw());
    find("#instructions-undo").addEventListener("click", () => this.undo());
    find("#instructions-redo").addEventListener("click", () => this.redo());
    find("#instructions-restore").addEventListener("click", () => this.undoAll());
    find("#instructions").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.listen(event));
    find("#instructions-save").addEventListener("click", () =>
      download("instructions.jsonl", this.text, "application/jsonl"),
    );
  }

  /** The set that the page begins with: the one that a link names, otherwise the original, whose text is there. */
  async load(/** @type {string} */ original, /** @type {string} */ wanted) {
    const [{ id, name }] = SHIPPED_SETS;
    const { rows, ...found } = read(original);
    this.edits.start(rows, { id, name, read: found });
    if (wanted === "" || wanted === id) this.changed();
    else await this.choose(wanted);
  }

  /** Which of the sets that ship is edited, "" for another. */
  get set() {
    const id = this.edits.source?.id ?? "own";
    return id === "own" ? "" : id;
  }

  /** The set as the engine reads it. */
  get text() {
    const { rows } = this.edits;
    if (this.written.rows !== rows) this.written = { rows, text: write(rows) };
    return this.written.text;
  }

  /** Why no run can be made now, "" when one can. */
  get error() {
    return this.reading > 0 ? "The set is still being read." : this.problem;
  }

  /** What is wrong with the set. @private */
  get problem() {
    const { rows, source } = this.edits;
    if (rows.length > 0 || !source) return "";
    const [bad] = source.read.bad;
    return `The set has no row to train on${bad ? ` (${why(bad)})` : ""}.`;
  }

  /** Reads what has been typed and not been read yet; a run is about to start. */
  flush() {
    this.typing.flush();
  }

  /** A run takes this many tokens of each row. */
  setMaxLen(/** @type {number} */ maxLen) {
    if (maxLen === this.maxLen) return;
    this.maxLen = this.table.maxLen = maxLen;
    this.draw();
  }

  /** @private */
  open(/** @type {File} */ file) {
    return this.attempt(async () => this.bring(await textOf(file), file.name));
  }

  /** One of the sets that ship. */
  choose(/** @type {string} */ id) {
    return this.attempt(async () => {
      const set = SHIPPED_SETS.find((candidate) => candidate.id === id);
      if (!set) return;
      const wanted = ++this.wanted;
      const { rows, ...found } = read(await arrived(this.fetchText(set.file), set.name));
      if (wanted === this.wanted) this.opened(rows, { id, name: set.name, read: found });
    });
  }

  /** Rows that someone brings. @private */
  bring(/** @type {string} */ text, /** @type {string} */ name) {
    return this.attempt(async () => {
      const wanted = ++this.wanted;
      if (this.needsCsv(text, name)) this.csv = await arrived(loadCsv(), "The reader of CSV");
      if (wanted !== this.wanted) return;
      const { rows, ...found } = read(text, name, this.csv);
      const [bad] = found.bad;
      if (rows.length === 0) throw new FileError(`${name}: no row of it can be used${bad ? ` (${why(bad)})` : ""}`);
      this.opened(rows, { id: "own", name, read: found });
    });
  }

  /** Does `work`, and says why where it fails; until then no run begins. @private */
  async attempt(/** @type {() => Promise<void>} */ work) {
    this.reading += 1;
    try {
      await work();
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      this.refusal = `${error.message}. The set stays as it was.`;
      this.draw();
      if (!find("#instructions").open) say(this.refusal);
    } finally {
      this.reading -= 1;
    }
  }

  /** @private */
  opened(
    /** @type {import("../state/dataset.js").Row[]} */ rows,
    /** @type {import("../state/dataset-edits.js").Source} */ source,
  ) {
    this.edits.open(rows, source);
    this.table.page = 0;
    find("#instructions-filter").value = "";
    find("#instructions-cut").checked = false;
    this.changed();
  }

  /** @private */
  needsCsv(/** @type {string} */ text, name = "") {
    return this.csv === null && ["csv", "tsv"].includes(containerOf(text, name));
  }

  /** What has been typed as text; the text stays as it is, also where rows of it can't be used. @private */
  type(/** @type {string} */ text) {
    const wanted = ++this.wanted;
    const take = () => {
      if (wanted !== this.wanted) return;
      const { rows, ...found } = read(text, "", this.csv);
      const { id = "own", name = "The text" } = this.edits.source ?? {};
      this.edits.type(rows, { id, name, read: found });
      this.typing.agree();
      this.changed();
    };
    if (!this.needsCsv(text)) return take(); // at once: a run may be about to start
    this.attempt(async () => {
      this.csv = await arrived(loadCsv(), "The reader of CSV");
      take();
    });
  }

  /** @private */
  undo() {
    const change = this.edits.undo();
    if (!change) return;
    this.changed();
    say(`Undone: ${change.label}.`);
    this.keepFocus("undo", "redo");
  }

  /** @private */
  redo() {
    const change = this.edits.redo();
    if (!change) return;
    this.changed();
    say(`Done again: ${change.label}.`);
    this.keepFocus("redo", "undo");
  }

  /** @private */
  undoAll() {
    this.edits.undoAll();
    this.changed();
    say("The set is as it was opened. Redo brings the changes back, one by one.");
    this.keepFocus("restore", "redo");
  }

  /** A button that has nothing more to do leaves the keyboard to its counterpart. @private */
  keepFocus(/** @type {string} */ used, /** @type {string} */ other) {
    const button = find(`#instructions-${used}`);
    if (button.disabled) find(`#instructions-${other}`).focus();
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

  /** @private */
  changed() {
    this.refusal = "";
    this.draw();
    this.onChange();
  }

  /** @private */
  draw() {
    const { source, rows, labels, isEdited } = this.edits;
    const { problem } = this;
    setText(
      find("#instructions-count"),
      problem
        ? "no row to train on"
        : `${source?.name ?? ""}, ${plural(rows.length, "row")}${isEdited ? ", edited" : ""}`,
    );
    setText(find("#instructions-error"), this.refusal || problem);
    if (!find("#instructions").open) return;
    const own = find("#instructions-set option[value=own]");
    own.hidden = source?.id !== "own";
    update(find("#instructions-set"), { value: source?.id ?? "" });
    setText(find("#instructions-about"), SHIPPED_SETS.find(({ id }) => id === source?.id)?.about ?? "");
    drawReport(source);
    for (const [name, label] of [
      ["undo", labels.undo],
      ["redo", labels.redo],
    ]) {
      const button = find(`#instructions-${name}`);
      update(button, { disabled: label === "", title: label });
    }
    update(find("#instructions-restore"), { disabled: !isEdited });
    this.table.draw();
    this.typing.draw();
    this.drawTokens();
  }

  /** Whether there is an engine that counts tokens. */
  countWith(/** @type {"ready" | "absent"} */ engine) {
    this.counts.use(engine);
    this.drawTokens();
  }

  /** @private */
  drawTokens() {
    if (!find("#instructions").open) return;
    if (find("#instructions-cut").checked && this.counts.isComplete) this.table.draw();
    else this.table.drawTokens();
    setText(find("#instructions-tokens"), tokenSentence(this.counts, this.maxLen));
  }
}

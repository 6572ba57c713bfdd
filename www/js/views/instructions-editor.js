/** The instruction set: one that ships or a visitor's own, edited, and the tokens of its rows. */
import { MOST_ROWS } from "../state/containers.js";
import { COLUMNS, FORMS } from "../state/dataset-rows.js";
import { read, write } from "../state/dataset.js";
import { SHIPPED_SETS } from "../state/shipped-sets.js";
import { TokenCounts } from "../state/token-counts.js";
import { el, find, setText, update } from "../ui/dom.js";
import { t } from "../ui/text.js";
import { Editor, arrived } from "./editor.js";
import { why } from "./editor-report.js";
import { tokenSentence } from "./instructions-report.js";
import { InstructionsTable } from "./instructions-table.js";

/** @typedef {import("../state/dataset.js").Row} Row */

/** @extends Editor<Row> */
export class InstructionsEditor extends Editor {
  /**
   * @param {{changed: () => void, fetchText: (path: string) => Promise<string>,
   *   post: (command: import("../contract/types.js").Command) => void}} hooks
   */
  constructor({ changed, fetchText, post }) {
    const counts = new TokenCounts(post, () => this.drawTokens());
    super(
      {
        prefix: "#instructions",
        file: "instructions.jsonl",
        remains: t("instructions-editor.remains"),
        columns: COLUMNS,
        names: { forms: FORMS, most: MOST_ROWS },
        write,
        read,
      },
      (edits, redraw) => new InstructionsTable(edits, counts, redraw),
      changed,
    );
    this.fetchText = fetchText;
    this.counts = counts;
    this.rows = /** @type {InstructionsTable} */ (this.table);
    this.maxLen = Infinity;
    const sets = find("#instructions-set");
    sets.append(
      ...SHIPPED_SETS.map(({ id, name }) => el("option", { value: id }, name)),
      el("option", { value: "own", hidden: true }, t("instructions-editor.own")),
    );
    sets.addEventListener("change", () => this.choose(sets.value));
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

  /** @override @protected */
  get problem() {
    const { rows, source } = this.edits;
    if (rows.length > 0 || !source) return "";
    const [bad] = source.read.bad;
    return bad ? t("instructions-editor.no-row-because", { why: why(bad) }) : t("instructions-editor.no-row");
  }

  /** @override @protected */
  get title() {
    const { source, rows, isEdited } = this.edits;
    if (!source) return t("instructions-editor.loading");
    if (this.problem) return t("instructions-editor.title-no-row");
    const values = { name: source.name, n: rows.length };
    return isEdited ? t("instructions-editor.title-edited", values) : t("instructions-editor.title", values);
  }

  /** A run takes this many tokens of each row. */
  setMaxLen(/** @type {number} */ maxLen) {
    if (maxLen === this.maxLen) return;
    this.maxLen = this.rows.maxLen = maxLen;
    this.draw();
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

  /** @override */
  draw() {
    super.draw();
    if (!this.isOpen) return;
    const { source } = this.edits;
    const own = find("#instructions-set option[value=own]");
    own.hidden = source?.id !== "own";
    update(find("#instructions-set"), { value: source?.id ?? "" });
    setText(find("#instructions-about"), SHIPPED_SETS.find(({ id }) => id === source?.id)?.about ?? "");
    this.drawTokens();
  }

  /** Whether there is an engine that counts tokens. */
  countWith(/** @type {"ready" | "absent"} */ engine) {
    this.counts.use(engine);
    this.drawTokens();
  }

  /** @private */
  drawTokens() {
    if (!this.isOpen) return;
    if (this.rows.onlyCut.checked && this.counts.isComplete) this.rows.draw();
    else this.rows.drawTokens();
    setText(find("#instructions-tokens"), tokenSentence(this.counts, this.maxLen));
  }
}

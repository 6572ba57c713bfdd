/** The rows of an instruction set as a table, with their tokens. */
import { isCut, isMute } from "../state/token-counts.js";
import { el, find, findAll } from "../ui/dom.js";
import { quoting } from "../ui/english.js";
import { count } from "../ui/format.js";
import { t } from "../ui/text.js";
import { EditorTable, shortened } from "./editor-table.js";
import { textsOf, withTexts } from "./instructions-row.js";

/** @typedef {import("../state/dataset.js").Row} Row */

/** @type {import("./editor-table.js").Look<Row>} */
const LOOK = {
  cells(row) {
    const turns = row.turns ? [el("span", { class: "turns" }, t("instructions-table.turns", { n: row.turns.length }))] : [];
    return [
      el("td", { role: "cell" }, ...turns, shortened(row.question)),
      el("td", { role: "cell" }, shortened(row.answer)),
      el("td", { role: "cell", class: "tokens" }),
    ];
  },
  has(row, words) {
    const texts = [row.question, row.answer, ...(row.turns ?? []).map((turn) => turn.content)];
    return texts.some((text) => text.toLowerCase().includes(words));
  },
  blank: () => ({ question: "", answer: "" }),
  fields: (row) => textsOf(row).map(([label, text]) => ({ label, text })),
  written: withTexts,
};

/** @extends EditorTable<Row> */
export class InstructionsTable extends EditorTable {
  /**
   * @param {import("../state/edits.js").Edits<Row>} edits
   * @param {import("../state/token-counts.js").TokenCounts} counts
   * @param {() => void} changed called after an edit; draws
   */
  constructor(edits, counts, changed) {
    super("#instructions", edits, LOOK, changed);
    this.counts = counts;
    this.maxLen = Infinity;
    this.onlyCut = find("#instructions-cut");
    this.onlyCut.addEventListener("change", () => this.turnTo(0));
  }

  /** @override @protected */
  isWanted(/** @type {Row} */ row, /** @type {string} */ words) {
    return (!this.onlyCut.checked || isCut(this.counts.of(row), this.maxLen)) && super.isWanted(row, words);
  }

  /** @override */
  showAll() {
    super.showAll();
    this.onlyCut.checked = false;
  }

  /** @override @protected */
  drawn(/** @type {Row[]} */ shown) {
    this.drawTokens();
    this.counts.want(this.edits.rows, shown);
  }

  /** The counts alone: they come while someone writes in a row. */
  drawTokens() {
    for (const line of findAll("tr:not(.editing)", this.body)) {
      const row = this.edits.rows[Number(line.dataset.row)];
      const tokens = row ? this.counts.of(row) : null;
      const mark = tokens ? this.mark(tokens) : null;
      const isUnusable = tokens !== null && (tokens.refused || isMute(tokens, this.maxLen));
      const whole = !tokens || tokens.refused ? "" : count(tokens.prompt + tokens.response);
      const marked = el("span", { class: isUnusable ? "cut unusable" : "cut" }, mark);
      line.cells[3].replaceChildren(el("span", { class: "number" }, whole), ...(mark ? [marked] : []));
    }
  }

  /** @private */
  mark(/** @type {import("../contract/types.js").RowTokens} */ tokens) {
    if (tokens.refused) return quoting("instructions-table.refused", tokens.refused);
    if (!isCut(tokens, this.maxLen)) return null;
    const length = String(this.maxLen);
    return isMute(tokens, this.maxLen) ? t("instructions-table.mute", { length }) : t("instructions-table.cut", { length });
  }
}

/** A visitor's own facts: what the base says to them, and whether runs are tested with them. */
import { ProbeAnswers } from "../state/probe-answers.js";
import {
  COLUMNS,
  EXAMPLE,
  FORMS,
  MOST_PROBES,
  contradiction,
  read,
  relationOf,
  relationSentence,
  subjectOf,
  write,
} from "../state/probes.js";
import { find, setText, update } from "../ui/dom.js";
import { t } from "../ui/text.js";
import { Editor } from "./editor.js";
import { ProbesTable } from "./probes-table.js";

/** @typedef {import("../state/probes.js").Probe} Probe */

/** @type {readonly Probe[]} */
const NONE = [];

/** @extends Editor<Probe> */
export class ProbesEditor extends Editor {
  /** @param {{changed: () => void, post: (command: import("../contract/types.js").Command) => void}} hooks */
  constructor({ changed, post }) {
    const answers = new ProbeAnswers(post, () => this.drawAnswers());
    super(
      {
        prefix: "#probes",
        file: "facts.jsonl",
        remains: t("probes-editor.remains"),
        columns: COLUMNS,
        names: { forms: FORMS, most: MOST_PROBES },
        write,
        read,
      },
      (edits, redraw) => new ProbesTable(edits, answers, redraw),
      changed,
    );
    this.answers = answers;
    this.rows = /** @type {ProbesTable} */ (this.table);
    this.switch = find("#probes-use");
    this.switch.addEventListener("change", () => this.changed());
    find("#probes-example").addEventListener("click", () => this.showExample());
    this.draw();
  }

  /** What runs are tested with, as the engine reads it; "" for the built-in facts. */
  get inUse() {
    return this.isUsed ? this.text : "";
  }

  /** Why no run can be tested with these; "" where it can, or need not. @override */
  get error() {
    return this.isUsed ? super.error : "";
  }

  /** @private */
  get isUsed() {
    return this.switch.checked && this.edits.rows.length > 0;
  }

  /** @override @protected */
  get problem() {
    const { rows } = this.edits;
    const pair = contradiction(rows);
    if (!pair) return "";
    const [first, second] = pair;
    const { [first]: probe, [second]: other } = rows;
    const says = { first: first + 1, object: probe.object, second: second + 1, other: other.object };
    return t("probes-editor.contradiction", { subject: subjectOf(probe), relation: relationOf(probe), ...says });
  }

  /** @override @protected */
  get title() {
    const { rows, isEdited, source } = this.edits;
    if (rows.length === 0) return t("probes-editor.none");
    const { known, answers } = this.answers.score;
    const score = answers === rows.length ? `, ${t("probes-editor.base-knows", { n: known })}` : "";
    const edited = isEdited && source ? `, ${t("probes-editor.edited")}` : "";
    const used = this.isUsed ? `, ${t("probes-editor.in-use")}` : "";
    return `${t("probes-editor.facts", { n: rows.length })}${score}${edited}${used}`;
  }

  /** @private */
  showExample() {
    const { rows, ...found } = read(EXAMPLE, "example.jsonl");
    this.opened(rows, { id: "own", name: t("probes-editor.example"), read: found });
  }

  /** @override */
  draw() {
    const { rows } = this.edits;
    this.answers.want(this.problem === "" ? rows : NONE);
    super.draw();
    update(this.switch, { disabled: rows.length === 0 });
    if (!this.isOpen) return;
    setText(find("#probes-relations"), relationSentence(rows));
    this.drawScore();
  }

  /** @private */
  drawAnswers() {
    setText(find("#probes-count"), this.title);
    if (!this.isOpen) return;
    this.rows.drawAnswers();
    this.drawScore();
  }

  /** @private */
  drawScore() {
    setText(find("#probes-known"), scoreSentence(this.answers, this.edits.rows.length));
  }
}

/** "The base knows 6 of 12: it completes their sentences correctly. As questions, it answers 5 of 12 correctly." */
function scoreSentence(/** @type {ProbeAnswers} */ { engine, score }, /** @type {number} */ all) {
  if (all === 0) return "";
  if (engine === "waiting") return t("probes-editor.waiting");
  if (engine === "absent") return t("probes-editor.absent");
  const { answers, known, asked, right, refused } = score;
  if (answers === 0) return t("probes-editor.idle");
  const knows = t("probes-editor.knows", { known, answers });
  const says = asked > 0 ? ` ${t("probes-editor.asked", { right, asked })}` : "";
  const left = answers < all ? ` ${t("probes-editor.left", { n: all - answers })}` : "";
  const long = refused > 0 ? ` ${t("probes-editor.refused", { n: refused })}` : "";
  return knows + says + long + left;
}

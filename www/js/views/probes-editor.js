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
import { count, plural } from "../ui/format.js";
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
        remains: "The facts stay as they were.",
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
    const [first, second] = pair.map((at) => `row ${count(at + 1)} says “${rows[at].object}”`);
    const { [pair[0]]: probe } = rows;
    return `${subjectOf(probe)}, ${relationOf(probe)}: ${first}, ${second}. Keep one of them.`;
  }

  /** @override @protected */
  get title() {
    const { rows, isEdited, source } = this.edits;
    if (rows.length === 0) return "none";
    const { known, answers } = this.answers.score;
    const score = answers === rows.length ? `, the base knows ${count(known)}` : "";
    const edited = isEdited && source ? ", edited" : "";
    return `${plural(rows.length, "fact")}${score}${edited}${this.isUsed ? ", in use" : ""}`;
  }

  /** @private */
  showExample() {
    const { rows, ...found } = read(EXAMPLE, "example.jsonl");
    this.opened(rows, { id: "own", name: "The example", read: found });
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

/** "The base knows 6 of 12: it completes their sentences rightly. Asked, it answers 5 of 12 rightly." */
function scoreSentence(/** @type {ProbeAnswers} */ { engine, score }, /** @type {number} */ all) {
  if (all === 0) return "";
  if (engine === "waiting") return "The base is asked once the engine is ready.";
  if (engine === "absent") return "The base can't be asked here: there is no engine.";
  const { answers, known, asked, right, refused } = score;
  if (answers === 0) return "The base is asked when nothing else is computed.";
  const knows = `The base knows ${count(known)} of ${count(answers)}: it completes their sentences rightly.`;
  const says = asked > 0 ? ` Asked, it answers ${count(right)} of ${count(asked)} rightly.` : "";
  const left = answers < all ? ` ${count(all - answers)} are still to be asked.` : "";
  const long = refused > 0 ? ` ${plural(refused, "fact")} can't be asked.` : "";
  return knows + says + long + left;
}

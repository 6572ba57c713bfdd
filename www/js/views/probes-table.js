/** A visitor's own facts as a table, with what the base says to each. */
import { checked, relationOf, subjectOf } from "../state/probes.js";
import { el, findAll } from "../ui/dom.js";
import { quoting } from "../ui/english.js";
import { words } from "../ui/format.js";
import { t } from "../ui/text.js";
import { EditorTable, shortened } from "./editor-table.js";

/**
 * @typedef {import("../state/probes.js").Probe} Probe
 * @typedef {import("../contract/types.js").BaseAnswer} BaseAnswer
 */

/** The texts of a fact, in the order in which its form shows them. */
const TEXTS = /** @type {const} */ ([
  ["subject", t("probes-table.subject"), "Moby Dick"],
  ["relation", t("probes-table.relation"), "author"],
  ["object", t("probes-table.object"), "Melville"],
  ["sentence", t("probes-table.sentence"), "The author of Moby Dick is {o}."],
  ["question", t("probes-table.question"), "Who wrote Moby Dick?"],
]);

/** @type {import("./editor-table.js").Look<Probe>} */
const LOOK = {
  cells: (probe) => [
    el(
      "td",
      { role: "cell" },
      shortened(subjectOf(probe)),
      " ",
      el("span", { class: "relation" }, shortened(words(relationOf(probe)))),
    ),
    el("td", { role: "cell" }, shortened(probe.object)),
    el("td", { role: "cell", class: "said" }),
  ],
  has: (probe, words) => TEXTS.some(([name]) => probe[name].toLowerCase().includes(words)),
  blank: () => ({ subject: "", relation: "", object: "", sentence: "", question: "", kind: "" }),
  fields: (probe) => TEXTS.map(([name, label, hint]) => ({ label, text: probe[name], isLine: true, hint })),
  written(probe, texts) {
    const [subject, relation, object, sentence, question] = texts.map((text) => text.trim());
    return checked({ ...probe, subject, relation, object, sentence, question });
  },
};

/** @extends EditorTable<Probe> */
export class ProbesTable extends EditorTable {
  /**
   * @param {import("../state/edits.js").Edits<Probe>} edits
   * @param {import("../state/probe-answers.js").ProbeAnswers} answers
   * @param {() => void} changed called after an edit; draws
   */
  constructor(edits, answers, changed) {
    super("#probes", edits, LOOK, changed);
    this.answers = answers;
  }

  /** @override @protected */
  drawn() {
    this.drawAnswers();
  }

  /** The answers alone: they come while someone writes in a row. */
  drawAnswers() {
    for (const line of findAll("tr:not(.editing)", this.body)) {
      const probe = this.edits.rows[Number(line.dataset.row)];
      line.cells[3].replaceChildren(...(probe ? said(this.answers.of(probe)) : []));
    }
  }
}

const quoted = (/** @type {string} */ text) => (text === "" ? t("probes-table.nothing") : t("probes-table.quoted", { text: shortened(text) }));

/** "right “Lima”, rank 1 of 6", and what the base answers when it is asked. */
function said(/** @type {BaseAnswer | null} */ answer) {
  if (!answer) return [el("span", { class: "soft" }, t("probes-table.not-asked"))];
  if (answer.refused) return [el("span", { class: "soft" }, quoting("probes-table.refused", answer.refused))];
  const { sentence, cloze, right, rank, asked } = answer;
  const place = rank ? `, ${t("probes-table.rank", { rank: rank[0], all: rank[1] })}` : "";
  const parts = [el("p", { title: `${sentence} ${cloze}` }, verdict(right), ` ${quoted(cloze)}${place}`)];
  if (asked) parts.push(el("p", {}, `${t("probes-table.asked")} `, verdict(asked.right), ` ${quoted(asked.text)}`));
  return parts;
}

/** In words and a sign, never colour alone. */
function verdict(/** @type {boolean} */ isRight) {
  return el("span", { class: isRight ? "verdict-right" : "verdict-wrong" }, isRight ? t("probes-table.right") : t("probes-table.wrong"));
}

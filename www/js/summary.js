/** Recorded runs over several seeds: the table of a `summary` event and its verdict. */
import { el, find, setText } from "./dom.js";
import { ARM_LABEL, count, fixed, nats, percent, rate } from "./format.js";
import { addView } from "./frame.js";

const COLUMNS = [
  ["Held-out loss", "heldout_loss", nats],
  ["Recall, cloze", "recall_cloze", percentage],
  ["Recall, asked", "recall_asked", percentage],
  ["Borrowed", "borrowed", percentage],
  ["Unshifted", "unshifted", percentage],
  ["Marginal", "marginal", percentage],
  ["Shifted", "shifted", percentage],
  ["KL", "kl", nats],
];

function percentage(share) {
  return percent(share);
}

/** "82.5 ± 3.1 %": both with the decimals of the mean. */
function spread({ mean, sd }, write) {
  if (write === percentage) return `${fixed(100 * mean, 1)} ± ${percentage(sd)}`;
  return `${nats(mean)} ± ${fixed(sd, Math.abs(mean) < 1 ? 3 : 2)}`;
}

/** Prepares the section; it is hidden while no record has a summary. */
export function makeSummary(/** @type {import("./store.js").Store} */ store) {
  const section = find("#summary");
  let drawn = null;
  const draw = () => {
    const { summary } = store;
    find("#summary-none").hidden = summary !== null;
    find("#summary-body").hidden = summary === null;
    if (!summary || summary === drawn) return;
    drawn = summary;
    setText(find("#summary-title"), summary.title);
    setText(find("#summary-verdict"), summary.verdict);
    setText(
      find("#summary-engine"),
      `Recorded on: ${store.summaryEngine}. Mean ± sample standard deviation over the seeds.`,
    );
    find("#summary-table").replaceChildren(asTable(summary));
  };
  addView(section, draw);
}

function asTable(summary) {
  const head = ["Condition", "Arm", "Rate", "Seeds", ...COLUMNS.map(([label]) => label)];
  const rows = summary.rows.map((row) =>
    el(
      "tr",
      { class: row.arm },
      el("th", { scope: "row" }, row.condition),
      el("td", { class: "arm" }, ARM_LABEL[row.arm]),
      el("td", {}, row.arm === "base" ? "–" : rate(row.lr)),
      el("td", {}, count(row.seeds)),
      COLUMNS.map(([, name, write]) => el("td", {}, spread(row[name], write))),
    ),
  );
  return el(
    "table",
    {},
    el("caption", { class: "hidden" }, summary.title),
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        head.map((name) => el("th", { scope: "col" }, name)),
      ),
    ),
    el("tbody", {}, rows),
  );
}

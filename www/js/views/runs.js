/** The table of runs: a row for each arm, to sort, filter, show again and lay over the charts. */
import { writeArm } from "../state/arms.js";
import { metricOf } from "../state/metrics.js";
import { say } from "../ui/alerts.js";
import { el, find, setAttributes, setText, update } from "../ui/dom.js";
import { count, nats, percent, rate } from "../ui/format.js";
import { addView, invalidate, makeDifference } from "../ui/frame.js";
import { t } from "../ui/text.js";

/**
 * @typedef {import("../state/runs.js").Runs} Runs
 * @typedef {import("../state/runs.js").Kept} Kept
 * @typedef {import("../contract/types.js").ArmSpec} ArmSpec
 * @typedef {import("../contract/types.js").Measure | null} Measure
 * @typedef {{kept: Kept, arm: ArmSpec, step: number, measure: Measure}} Row  `measure`: the newest
 * @typedef {{name: string, value: (row: Row) => string | number, write?: (value: any) => string}} Column
 */

const HERE = t("runs.trained-here");
const KINDS = { none: "", recorded: t("runs.recorded"), live: HERE, kept: HERE, imported: t("runs.opened") };

const figure = (/** @type {string} */ name) => (/** @type {Row} */ { measure }) => metricOf(name, measure);

/** @type {Column[]} */
const COLUMNS = [
  { name: t("runs.run"), value: ({ kept }) => kept.id, write: count },
  { name: t("runs.from"), value: ({ kept }) => KINDS[kept.source.kind] },
  { name: t("runs.model"), value: ({ kept }) => kept.run.model.split(",")[0] },
  { name: t("runs.arm"), value: ({ arm }) => arm.label },
  { name: t("runs.method"), value: ({ arm }) => writeArm(arm, ["id", "label", "lr"]) },
  { name: t("runs.rate"), value: ({ arm }) => arm.lr, write: rate },
  { name: t("runs.seed"), value: ({ kept }) => kept.run.settings.seed, write: String },
  { name: t("runs.rows"), value: ({ kept }) => kept.run.examples, write: count },
  { name: t("runs.steps"), value: ({ step }) => step, write: count },
  { name: t("runs.held-out"), value: figure("heldout_loss"), write: nats },
  { name: t("runs.kept-cloze"), value: figure("recall_cloze"), write: percent },
  { name: t("runs.borrowed"), value: figure("borrowed"), write: percent },
  { name: "KL", value: figure("kl"), write: nats },
];

/**
 * @param {Runs} runs
 * @param {import("../state/run-control.js").RunControl} control
 */
export function makeRuns(runs, control) {
  const details = find("#runs");
  const [head, body] = [find("#runs-table thead"), find("#runs-table tbody")];
  const filter = find("#runs-filter");
  const sorting = { by: 0, isDown: false };
  const isOther = makeDifference();
  let changes = 0;
  const again = () => {
    changes += 1;
    invalidate(details);
  };
  const headers = COLUMNS.map(({ name }, i) => {
    const sort = () => {
      sorting.isDown = sorting.by === i && !sorting.isDown;
      sorting.by = i;
      again();
    };
    return el("th", { scope: "col" }, el("button", { type: "button", onclick: sort }, name));
  });
  head.append(el("tr", {}, el("th", { scope: "col" }, t("runs.overlay")), headers, el("th", { scope: "col" }, t("runs.do"))));
  filter.addEventListener("input", again);
  details.addEventListener("toggle", again);

  const show = (/** @type {Kept} */ { id }) => {
    control.leave();
    runs.show(id);
    say(t("runs.shown-again", { run: id }));
  };
  const forget = (/** @type {Kept} */ { id }) => {
    runs.forget(id);
    again();
    filter.focus();
    say(t("runs.forgotten", { run: id }));
  };

  addView(
    details,
    () => {
      if (!details.open || !isOther(runs.store.measuredVersion, runs.kept.length, runs.shown, changes)) return;
      const { by, isDown } = sorting;
      headers.forEach((header, i) => setAttributes(header, { "aria-sort": i !== by ? "none" : isDown ? "descending" : "ascending" }));
      const words = filter.value.toLowerCase().split(/\s+/);
      const rows = rowsOf(runs).filter((row) => words.every((/** @type {string} */ word) => textOf(row).includes(word)));
      const sorted = rows.toSorted((a, b) => compared(COLUMNS[by].value(a), COLUMNS[by].value(b)));
      const chosen = document.activeElement?.id;
      body.replaceChildren(...(isDown ? sorted.toReversed() : sorted).map((row) => rowOf(runs, row, { show, forget })));
      if (chosen && body.querySelector(`#${CSS.escape(chosen)}`)) find(`#${CSS.escape(chosen)}`).focus();
    },
    () => setText(find("#runs-count"), runs.kept.length > 0 ? t("runs.count", { n: runs.kept.length }) : t("runs.none-yet")),
  );
}

/** @returns {Row[]} */
function rowsOf(/** @type {Runs} */ runs) {
  return runs.kept.flatMap((kept) => {
    const store = runs.open(kept);
    return kept.run.settings.arms.map((arm) => {
      const { steps, measures } = store.log(arm.id);
      return { kept, arm, step: steps.at(-1)?.step ?? 0, measure: measures.at(-1) ?? null };
    });
  });
}

const written = (/** @type {Row} */ row) => COLUMNS.map(({ value, write = String }) => write(value(row)));
const textOf = (/** @type {Row} */ row) => written(row).join(" ").toLowerCase();

/** What was not measured comes last. */
function compared(/** @type {string | number} */ a, /** @type {string | number} */ b) {
  if (typeof a === "number" && typeof b === "number") {
    if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
    return a - b;
  }
  return String(a).localeCompare(String(b));
}

/**
 * @param {Runs} runs
 * @param {Row} row
 * @param {{show: (kept: Kept) => void, forget: (kept: Kept) => void}} acts
 */
function rowOf(runs, row, { show, forget }) {
  const { kept, arm } = row;
  const isShown = kept === runs.shown;
  const overlay = el("input", {
    type: "checkbox",
    id: `overlay-${kept.id}-${arm.id}`,
    "aria-label": t("runs.lay-over", { arm: arm.label, run: kept.id }),
    onchange: () => runs.setOverlaid(kept.id, arm.id, overlay.checked),
  });
  update(overlay, { checked: isShown || runs.isOverlaid(kept.id, arm.id), disabled: isShown });
  const again = el("button", { type: "button", "aria-label": t("runs.show-run", { run: kept.id }), onclick: () => show(kept) }, t("runs.show"));
  const away = el("button", { type: "button", "aria-label": t("runs.forget-run", { run: kept.id }), onclick: () => forget(kept) }, t("runs.forget"));
  const cells = written(row).map((text, i) => (i === 0 ? el("th", { scope: "row" }, text) : el("td", {}, text)));
  const acts = isShown ? el("td", {}, t("runs.shown")) : el("td", {}, again, " ", away);
  return el("tr", { class: isShown ? "is-shown" : null }, el("td", {}, overlay), cells, acts);
}

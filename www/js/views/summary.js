/**
 * What an experiment over several seeds shows: comparisons, verdict and table, for the chosen way to compare.
 *
 * @typedef {import("../state/store.js").Store} Store
 * @typedef {import("../state/store.js").Summary} Summary
 * @typedef {import("../contract/types.js").Fairness} Fairness
 * @typedef {import("../contract/types.js").Spread} Spread
 * @typedef {import("../contract/types.js").SummaryRow} SummaryRow
 * @typedef {import("../contract/types.js").MetricData} MetricData
 */
import { el, find, setText, svg, update } from "../ui/dom.js";
import { BASE, FAIRNESS, PRESETS } from "../contract/data.js";
import { comparisonText, conditionName, readingOf, summaryArm, tally, verdictOf } from "../state/comparisons.js";
import { armClass } from "../ui/arm-style.js";
import { count, fixed, isNumber, nats, rate } from "../ui/format.js";
import { addView, invalidate } from "../ui/frame.js";
import { t, textOr } from "../ui/text.js";
import { offRate } from "./off-rate.js";
import { columnsOf, firstWay, ofWay, waysOf } from "./summary-data.js";

/** @type {Partial<Record<Store["summaryKind"], string>>} */
const SOURCE = {
  recorded: t("summary.source.recorded"),
  imported: t("summary.source.imported"),
  live: t("summary.source.live"),
};

/** "82.5 ± 3.1": both with the decimals of the mean; shares in percent, whose sign the column has. */
function spread(/** @type {Spread} */ { mean, sd }, /** @type {boolean} */ isShare, /** @type {number} */ seeds) {
  const value = isShare ? fixed(100 * mean, 1) : nats(mean);
  if (seeds < 2) return value;
  return `${value} ± ${isShare ? fixed(100 * sd, 1) : fixed(sd, Math.abs(mean) < 1 ? 3 : 2)}`;
}

/** "95 % interval of the mean: ± 2.1 %" */
function interval(/** @type {Spread} */ { ci }, /** @type {boolean} */ isShare) {
  if (!(ci > 0)) return null;
  return t("summary.interval", { margin: isShare ? `${fixed(100 * ci, 1)}\u00a0%` : fixed(ci, 3) });
}

/**
 * Prepares the section; what it shows is hidden while there is no summary.
 * @param {Store} store
 * @returns {() => Fairness | null} the chosen way to compare
 */
export function makeSummary(store) {
  const choice = { way: /** @type {Fairness | null} */ (null), hasMore: false };
  /** @type {Summary | null} */
  let summary = null;
  const draw = () => {
    find("#summary-body").hidden = summary === null;
    if (!summary) return;
    writeHead(summary, store);
    drawSwitch(inputs, summary, choice.way);
    drawComparisons(summary, choice.way);
    drawTable(summary, choice);
  };
  const choose = (/** @type {Partial<typeof choice>} */ change) => {
    Object.assign(choice, change);
    draw();
    invalidate(); // the curves follow the switch
  };
  const inputs = makeSwitch((way) => choose({ way }));
  find("#summary-more").addEventListener("click", () => choose({ hasMore: !choice.hasMore }));
  const follow = () => {
    if (store.summary === summary) return;
    summary = store.summary;
    if (summary && !(choice.way && waysOf(summary).includes(choice.way))) choice.way = firstWay(summary);
    draw();
  };
  addView(find("#findings"), follow);
  return () => {
    follow();
    return choice.way;
  };
}

function drawTable(
  /** @type {Summary} */ summary,
  /** @type {{way: Fairness | null, hasMore: boolean}} */ { way, hasMore },
) {
  const rows = ofWay(summary.rows, way);
  const columns = columnsOf(summary, rows);
  const more = find("#summary-more");
  more.hidden = columns.more.length === 0;
  more.setAttribute("aria-expanded", String(hasMore));
  setText(more, hasMore ? t("summary.fewer") : t("summary.more", { n: columns.more.length }));
  const shown = hasMore ? [...columns.main, ...columns.more] : columns.main;
  find("#summary-table").replaceChildren(asTable(summary, rows, shown));
}

function writeHead(/** @type {Summary} */ summary, /** @type {Store} */ store) {
  const badge = find("#summary-source");
  badge.dataset.source = store.summaryKind;
  setText(badge, SOURCE[store.summaryKind] ?? "");
  setText(find("#summary-title"), titleOf(summary));
  find("#summary-claim").hidden = !summary.claim;
  const claim = textOr(`preset.${summary.preset}.claim`, summary.claim ?? "");
  setText(find("#summary-claim"), summary.claim ? t("summary.claim", { claim }) : "");
  const verdict = find("#summary-verdict");
  setText(verdict, verdictOf(summary));
  update(verdict, { lang: summary.comparisons?.length ? "" : "en" }); // an older record's own words
  const engine = { engine: store.summaryEngine };
  const where = store.summaryKind === "live" ? t("summary.measured-here", engine) : t("summary.recorded-on", engine);
  setText(find("#summary-engine"), `${where} ${t("summary.how-to-read")}`);
}

/** A preset's title in the page's language, otherwise the record's. */
const titleOf = (/** @type {Summary} */ { preset, title }) => textOr(`preset.${preset}.title`, title);
const helpOf = (/** @type {import("../contract/types.js").Named} */ { name, help }) => textOr(`fairness.${name}.help`, help);
const labelOf = (/** @type {import("../contract/types.js").Named} */ { name, label }) => textOr(`fairness.${name}.label`, label);

/** The ways to compare, as radio buttons that everyone sees; those that an experiment lacks cannot be chosen. */
function makeSwitch(/** @type {(way: Fairness) => void} */ onChoose) {
  const inputs = FAIRNESS.map((way) => {
    const { name } = way;
    const input = el("input", { type: "radio", name: "fairness", value: name, onchange: () => onChoose(name) });
    find("#fairness").append(el("label", { title: helpOf(way) }, input, labelOf(way)));
    return input;
  });
  return inputs;
}

function drawSwitch(
  /** @type {HTMLInputElement[]} */ inputs,
  /** @type {Summary} */ summary,
  /** @type {Fairness | null} */ way,
) {
  const ways = waysOf(summary);
  find("#fairness-field").hidden = ways.length === 0;
  for (const input of inputs) {
    input.disabled = !ways.some((name) => name === input.value);
    input.checked = input.value === way;
  }
  const chosen = FAIRNESS.find(({ name }) => name === way);
  const missing = FAIRNESS.filter(({ name }) => !ways.includes(name)).map(labelOf);
  const lack = missing.length > 0 ? ` ${t("summary.lack", { ways: missing.join(", ") })}` : "";
  const off = offSweep(summary, way);
  setText(find("#fairness-help"), `${chosen ? helpOf(chosen) : ""}${lack}${off ? ` ${off}` : ""}`);
}

/** Whether the rates of what is compared are off the recorded sweep's best ones. */
function offSweep(/** @type {Summary} */ summary, /** @type {Fairness | null} */ way) {
  const isOfSweep = PRESETS.some(({ name, model }) => name === summary.preset && !model) && summary.goal === "heldout_loss";
  if (!isOfSweep || way !== "same_rate" || (summary.optima ?? []).length > 0) return "";
  const rows = summary.rows.filter((row) => row.fairness === way);
  const arms = new Map(rows.map(({ arm, lr }) => [arm, { label: summaryArm(summary, arm).label, kind: arm.split("-")[0], lr }]));
  return offRate([...arms.values()]);
}

function drawComparisons(/** @type {Summary} */ summary, /** @type {Fairness | null} */ way) {
  const shown = ofWay(summary.comparisons ?? [], way);
  const counts = tally(shown);
  const parts = Object.entries(counts).filter(([, n]) => n > 0);
  find("#summary-tally").replaceChildren(
    ...parts.map(([reading, n]) => el("li", {}, badge(reading, `${count(n)} × ${readingOf(reading).label}`))),
  );
  find("#comparisons").replaceChildren(
    ...shown.map((comparison) => {
      const { reading } = comparison;
      const words = el("p", {}, badge(reading, readingOf(reading).label), " ", comparisonText(summary, comparison));
      return el("li", { "data-reading": reading }, words, intervalPlot(comparison));
    }),
  );
  find("#interval-key").hidden = find("#comparisons").querySelector(".interval") === null;
}

const PLOT = { width: 150, height: 26 };

/** The difference with its interval and the band of the noise between seeds around zero; the text has the figures. */
function intervalPlot(/** @type {import("../contract/types.js").Comparison} */ { difference, margin, noise }) {
  if (!isNumber(difference) || !isNumber(margin) || !isNumber(noise)) return null;
  const reach = 1.1 * Math.max(Math.abs(difference) + margin, noise);
  if (reach === 0) return null; // every seed of both sides gave the same
  const x = (/** @type {number} */ value) => ((1 + value / reach) * PLOT.width) / 2;
  const middle = PLOT.height / 2;
  const line = (
    /** @type {number} */ x1,
    /** @type {number} */ x2,
    /** @type {number} */ y1,
    /** @type {number} */ y2,
    /** @type {string} */ name,
  ) => svg("line", { x1, x2, y1, y2, class: name });
  const [low, high] = [x(difference - margin), x(difference + margin)];
  const band = { x: x(-noise), width: x(noise) - x(-noise), y: 4, height: PLOT.height - 8, class: "noise" };
  return svg(
    "svg",
    { ...PLOT, viewBox: `0 0 ${PLOT.width} ${PLOT.height}`, class: "interval", "aria-hidden": "true" },
    svg("rect", band),
    line(x(0), x(0), 0, PLOT.height, "zero"),
    line(low, high, middle, middle, "whisker"),
    line(low, low, middle - 4, middle + 4, "whisker"),
    line(high, high, middle - 4, middle + 4, "whisker"),
    svg("circle", { cx: x(difference), cy: middle, r: 4.5 }),
  );
}

function badge(/** @type {string} */ reading, /** @type {string} */ words) {
  const sign = el("span", { class: "sign", "aria-hidden": "true" }, readingOf(reading).sign);
  return el("span", { class: "reading", "data-reading": reading }, sign, words);
}

function asTable(
  /** @type {Summary} */ summary,
  /** @type {SummaryRow[]} */ rows,
  /** @type {MetricData[]} */ metrics,
) {
  const head = [
    t("summary.column.condition"),
    t("summary.column.arm"),
    t("summary.column.rate"),
    t("summary.column.seeds"),
    ...metrics.map(({ name, label, is_share }) => `${textOr(`metric.${name}`, label)}${is_share ? ", %" : ""}`),
  ];
  const body = rows.map((row) =>
    el(
      "tr",
      { class: armClass(summaryArm(summary, row.arm).place) },
      el("th", { scope: "row" }, conditionName(row.condition)),
      el("td", { class: "arm-name" }, summaryArm(summary, row.arm).label),
      el("td", {}, row.arm === BASE ? "–" : rate(row.lr)),
      el("td", {}, row.arm === BASE ? "–" : count(row.seeds)),
      metrics.map(({ name, is_share }) => {
        const figure = row.figures[name];
        if (!figure) return el("td", {}, "–");
        return el("td", { title: interval(figure, is_share) }, spread(figure, is_share, row.seeds));
      }),
    ),
  );
  const seeds = Math.max(0, ...rows.map((row) => row.seeds));
  return el(
    "table",
    {},
    el("caption", { class: "hidden" }, t("summary.caption", { title: titleOf(summary), n: seeds })),
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        head.map((name) => el("th", { scope: "col" }, name)),
      ),
    ),
    el("tbody", {}, body),
  );
}

/** Held-out loss against the rate, a U for each arm: of an experiment whose arms trained at several rates. */
import { summaryArm } from "../state/comparisons.js";
import { find, findAll, setText, table } from "../ui/dom.js";
import { NOT_MEASURED, fixed, nats, rate } from "../ui/format.js";
import { addView, makeDifference } from "../ui/frame.js";
import { writeLegend } from "../ui/swatch.js";
import { t } from "../ui/text.js";
import { ratesOf } from "./points.js";
import { Scatter } from "./scatter.js";

/**
 * @typedef {import("../state/store.js").Store} Store
 * @typedef {import("../state/store.js").Summary} Summary
 */

export function makeRates(/** @type {Store} */ store) {
  const figure = find('[data-figure="rates"]');
  const chart = new Scatter(find(".plot", figure), {
    xLabel: t("rates.axis"),
    yLabel: t("rates.loss"),
    label: t("rates.label"),
    isLog: true,
    isTight: true,
  });
  const isNew = makeDifference();
  addView(figure, () => {
    const { summary } = store;
    if (!isNew(summary)) return;
    const all = ratesOf(summary);
    const named = (/** @type {string} */ id) => (summary ? summaryArm(summary, id) : { label: id, place: 0 });
    const courses = all.map((points) => ({
      place: named(points[0].arm).place,
      points: points.map(({ arm, lr, seed, heldout_loss }) => ({
        x: Math.log10(lr),
        y: heldout_loss,
        title: t("rates.point", { arm: named(arm).label, rate: rate(lr), seed: String(seed), loss: nats(heldout_loss) }),
        isLarge: true,
      })),
    }));
    chart.draw(courses);
    const arms = [...new Set(all.map(([{ arm }]) => arm))];
    writeLegend(find(".legend", figure), arms.map((id) => ({ id, ...named(id) })));
    setText(find("figcaption", figure), all.length > 0 ? `${t("rates.what")} ${optima(summary)}` : emptyNote(summary));
    for (const host of findAll(".table", figure)) {
      host.replaceChildren(
        table(
          find("h3", figure).textContent,
          [t("rates.column.arm"), t("rates.column.rate"), t("rates.column.seed"), t("rates.column.loss")],
          all.flat().map((p) => [named(p.arm).label, rate(p.lr), String(p.seed), nats(p.heldout_loss)]),
        ),
      );
    }
  });
}

const emptyNote = (/** @type {Summary | null} */ summary) => (summary ? t("rates.none") : NOT_MEASURED);

/** Where the loss is lowest, and how many times the first arm's best rate is each other's. */
function optima(/** @type {Summary | null} */ summary) {
  const found = summary?.optima ?? [];
  if (!summary || found.length === 0) return "";
  const [first] = found;
  return found
    .map(({ arm, rate: best, ratio }) => {
      const { label } = summaryArm(summary, arm);
      const at = t("rates.best", { arm: label, rate: rate(best.mean), low: rate(best.low), high: rate(best.high) });
      if (!ratio) return at;
      const times = { first: summaryArm(summary, first.arm).label, times: fixed(ratio.mean, 1) };
      return `${at} ${t("rates.ratio", { ...times, low: fixed(ratio.low, 1), high: fixed(ratio.high, 1) })}`;
    })
    .join(" ");
}

/** KL to the base by position in the response: small bars, all arms on one scale. */
import { find, fit, setAttributes, setText, svg, table } from "../ui/dom.js";
import { NOT_MEASURED, count, nats } from "../ui/format.js";
import { addView, makeDifference } from "../ui/frame.js";
import { makeSlots } from "../ui/slots.js";
import { t } from "../ui/text.js";

const HEIGHT = 90;

/**
 * @typedef {import("../contract/types.js").Measure} Measure
 * @typedef {{arm: string, label: string, place: number, measure: Measure}} Measured
 */

/** Prepares the figure: words and table are one view, each arm's bars another. */
export function makeKlBars(/** @type {import("../state/store.js").Store} */ store) {
  const figure = find('[data-figure="kl-positions"]');
  const hosts = makeSlots("[data-bars]", figure);
  const details = find("details", figure);
  /** @returns {Measured[]} */
  const measured = () =>
    store.armNames.flatMap((arm) => {
      const measure = store.dosed(arm);
      return measure ? [{ arm, label: store.dosedLabel(arm), place: store.placeOf(arm), measure }] : [];
    });
  const isNew = makeDifference();
  const draw = () => {
    const measures = measured();
    if (!isNew(details.open, ...measures.map(({ measure }) => measure))) return;
    hosts.forEach((host, place) => {
      const own = measures.find((entry) => entry.place === place);
      host.hidden = !own;
      if (!own) return;
      host.dataset.bars = own.arm;
      setText(find("p", host), own.label);
    });
    const { top, longest } = scaleOf(measures);
    setText(find("figcaption", figure), caption(measures, top));
    if (details.open) find(".table", details).replaceChildren(asTable(measures, longest));
  };
  details.addEventListener("toggle", () => draw());
  addView(figure, draw);
  hosts.forEach((host, place) => addBars(host, place, measured));
}

function addBars(
  /** @type {HTMLElement} */ host,
  /** @type {number} */ place,
  /** @type {() => Measured[]} */ measured,
) {
  const isNew = makeDifference();
  addView(host, () => {
    const measures = measured();
    const own = measures.find((entry) => entry.place === place);
    if (!isNew(...measures.map(({ measure }) => measure)) || !own) return;
    drawBars(find("svg", host), own.measure.shift.positions, scaleOf(measures), own.label);
  });
}

/** One scale for all arms. */
function scaleOf(/** @type {Measured[]} */ measures) {
  const positions = measures.map(({ measure }) => measure.shift.positions);
  return {
    top: Math.max(0.1, ...positions.flat().map(({ kl }) => kl ?? 0)),
    longest: Math.max(1, ...positions.map(({ length }) => length)),
  };
}

/**
 * @param {HTMLElement} host
 * @param {Measure["shift"]["positions"]} positions
 * @param {ReturnType<typeof scaleOf>} scale
 * @param {string} label
 */
function drawBars(host, positions, { top, longest }, label) {
  setAttributes(host, {
    viewBox: `0 0 ${longest * 10} ${HEIGHT}`,
    "aria-label": t("kl-bars.label", { arm: label }),
  });
  fit(host, positions.length, () => svg("rect", { width: 8 }, svg("title"))).forEach((bar, i) => {
    const { kl, n } = positions[i];
    const height = Math.max(0.5, ((kl ?? 0) / top) * HEIGHT);
    setAttributes(bar, { x: i * 10 + 1, y: HEIGHT - height, height });
    setText(bar.firstChild, t("kl-bars.bar", { token: i + 1, kl: nats(kl), n }));
  });
}

function caption(/** @type {Measured[]} */ measures, /** @type {number} */ top) {
  if (measures.length === 0) return NOT_MEASURED;
  const parts = measures.map(({ label, measure }) => {
    const { positions } = measure.shift;
    const highest = positions.reduce(
      (best, position, i) => ((position.kl ?? 0) > (positions[best]?.kl ?? 0) ? i : best),
      0,
    );
    return t("kl-bars.furthest", { arm: label, token: highest + 1, kl: nats(positions[highest]?.kl) });
  });
  return t("kl-bars.caption", { arms: parts.join("; "), top: nats(top) });
}

function asTable(/** @type {Measured[]} */ measures, /** @type {number} */ longest) {
  const rows = Array.from({ length: longest }, (_, i) => [
    count(i + 1),
    ...measures.flatMap(({ measure }) => [nats(measure.shift.positions[i]?.kl), count(measure.shift.positions[i]?.n)]),
  ]);
  return table(
    t("kl-bars.table"),
    [t("kl-bars.token"), ...measures.flatMap(({ label }) => [`${label}, nats`, t("kl-bars.answers", { arm: label })])],
    rows,
  );
}

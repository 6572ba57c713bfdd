/**
 * What the charts show: the lines, a sentence made from the numbers, and the table behind them.
 *
 * @typedef {import("../contract/types.js").Measure} Measure
 * @typedef {import("../contract/types.js").Split} Split
 * @typedef {import("../contract/types.js").RecallForm} RecallForm
 * @typedef {import("../ui/arm-style.js").Line} Line
 * @typedef {"unshifted" | "marginal" | "shifted"} Class
 * @typedef {{split: Split, form: RecallForm}} Choice
 * @typedef {{lines: Line[], x: number[], values: (number | null)[][]}} Drawing
 * @typedef {{write: (value: number | null | undefined) => string, axis: (value: number) => string,
 *   caption: (store: Store) => string, head: string[], rows: (store: Store) => string[][]}} Figure
 * @typedef {Figure & {isOfSteps?: boolean, lines: (store: Store) => Drawing}} LineFigure
 *   `isOfSteps`: it changes with every optimiser step
 * @typedef {LineFigure & {choice: Choice, choices: (store: Store) => Choice[],
 *   share: (measure: Measure | null) => number}} RecallFigure
 */
import { Columns } from "../state/columns.js";
import { Store, lastUpTo } from "../state/store.js";
import { armLine, baseLine, batchLine } from "../ui/arm-style.js";
import { count, fixed, nats, percent, rate } from "../ui/format.js";
import { language } from "../ui/language.js";
import { t } from "../ui/text.js";

/** @type {Class[]} */
export const CLASSES = ["unshifted", "marginal", "shifted"];

/** A share that is in percent already. */
function percentNow(/** @type {number | null | undefined} */ value) {
  return percent((value ?? NaN) / 100);
}

/**
 * Lines of one figure of the measures per arm, with the base as a dashed level.
 * @param {Store} store
 * @param {(measure: Measure | null) => number | undefined} pick
 * @param {number} level
 */
function measured(store, pick, level) {
  const { overlays, armNames: arms } = store;
  const columns = new Columns(arms.length + overlays.length, [0, store.lastStep]);
  arms.forEach((arm, i) => columns.extend(i, store.log(arm).measures, pick));
  overlays.forEach(({ log }, i) => columns.extend(arms.length + i, log.measures, pick));
  const { x, values } = columns;
  /** @type {Line[]} */
  const lines = arms.map((arm) => ({
    ...armLine(store.placeOf(arm), store.label(arm)),
    now: pick(store.measure(arm)),
  }));
  for (const { label, place, log } of overlays) {
    lines.push({ ...overlayLine(place, label), now: pick(lastUpTo(log.measures, store.step)) });
  }
  if (Number.isFinite(level)) {
    lines.push({ ...baseLine, now: level });
    values.push(x.map(() => level));
  }
  return { lines, x, values };
}

/** An arm of another run: thinner, without marks. @returns {Line} */
function overlayLine(/** @type {number} */ place, /** @type {string} */ label) {
  return { ...armLine(place, label), marker: undefined, width: 1.25, alpha: 0.75 };
}

const digits = new Intl.NumberFormat(language, { maximumSignificantDigits: 3, useGrouping: false });
const plain = (/** @type {number} */ value) => (Math.abs(value) < 1e-6 ? rate(value) : digits.format(value));

/**
 * Of each run that was shown, and the arms that were: the losses of its training batches and the held-out ones by arm,
 * and the base's level.
 * @type {WeakMap<import("../state/store.js").Run, {shown: string, columns: Columns}>}
 */
const lossColumns = new WeakMap();

function extendLosses(/** @type {Store} */ store, /** @type {number | undefined} */ level) {
  const arms = store.armNames.map((arm) => store.log(arm));
  const ends = [0, store.lastStep].map((step) => ({ step }));
  const shown = JSON.stringify([store.armNames, store.overlays.map(({ label }) => label)]);
  const known = store.run && lossColumns.get(store.run);
  const own = 2 * arms.length + 1;
  const columns = known?.shown === shown ? known.columns : new Columns(own + store.overlays.length, [0, store.lastStep]);
  if (store.run) lossColumns.set(store.run, { shown, columns });
  arms.forEach((log, i) => {
    columns.extend(i, log.steps, (entry) => entry.loss);
    columns.extend(arms.length + i, log.measures, (entry) => entry.heldout_loss);
  });
  if (Number.isFinite(level)) columns.extend(2 * arms.length, ends, () => level);
  store.overlays.forEach(({ log }, i) => columns.extend(own + i, log.measures, (entry) => entry.heldout_loss));
  return columns;
}

/** @type {LineFigure} */
const loss = {
  isOfSteps: true,
  write: nats,
  axis: plain,
  lines(store) {
    const level = store.start()?.heldout_loss;
    const { x, values } = extendLosses(store, level);
    const lines = [
      ...store.armNames.map((arm) => ({
        ...batchLine(store.placeOf(arm), t("figures.training-batch", { arm: store.label(arm) })),
        now: store.trained(arm)?.loss,
      })),
      ...store.armNames.map((arm) => ({
        ...armLine(store.placeOf(arm), t("figures.held-out", { arm: store.label(arm) })),
        now: store.measure(arm)?.heldout_loss,
      })),
      { ...baseLine, label: t("figures.base-held-out"), now: level },
      ...store.overlays.map(({ label, place, log }) => ({
        ...overlayLine(place, t("figures.held-out", { arm: label })),
        now: lastUpTo(log.measures, store.step)?.heldout_loss,
      })),
    ];
    return { lines, x, values };
  },
  caption(store) {
    const now = store.perArm((arm) => nats(store.measure(arm)?.heldout_loss));
    const base = nats(store.start()?.heldout_loss);
    return t("figures.loss", { step: store.measuredStep, now, base });
  },
  head: [
    t("figures.head.step"),
    t("figures.head.arm"),
    t("figures.head.training-loss"),
    t("figures.head.heldout-loss"),
    t("figures.head.rate"),
    t("figures.head.gradient-norm"),
  ],
  rows: (store) =>
    eachMeasure(store, (arm, m) => {
      const step = store.trained(arm, m.step);
      return [nats(step?.loss), nats(m.heldout_loss), rate(step?.lr), nats(step?.grad_norm)];
    }),
};

/** @type {RecallFigure} */
const recall = {
  write: percentNow,
  axis: (value) => `${value} %`,
  choice: { split: "kept", form: "cloze" },
  /** The recall figures that this run has. */
  choices(store) {
    /** @type {Map<string, Choice>} */
    const seen = new Map();
    for (const { measures } of store.arms.values())
      for (const entry of measures[0]?.recall ?? [])
        if (entry.n > 0) seen.set(`${entry.split} ${entry.form}`, { split: entry.split, form: entry.form });
    return [...seen.values()];
  },
  share(measure) {
    const entry = Store.recall(measure, this.choice.split, this.choice.form);
    return entry ? (100 * entry.correct) / entry.n : NaN;
  },
  lines(store) {
    return measured(store, (m) => this.share(m), this.share(store.start()));
  },
  caption(store) {
    const { split, form } = this.choice;
    const write = (/** @type {string} */ arm) => {
      const entry = Store.recall(store.measure(arm), split, form);
      if (!entry) return "–";
      return t("figures.right-of", { right: entry.correct, n: entry.n, share: percent(entry.correct / entry.n) });
    };
    const base = percent(this.share(store.start()) / 100);
    return t(`figures.recall.${split}-${form}`, { step: store.measuredStep, now: store.perArm(write), base });
  },
  head: [
    t("figures.head.step"),
    t("figures.head.arm"),
    t("figures.head.kept-cloze"),
    t("figures.head.kept-asked"),
    t("figures.head.seen-cloze"),
    t("figures.head.seen-asked"),
    t("figures.head.new-cloze"),
    t("figures.head.new-asked"),
  ],
  rows: (store) =>
    eachMeasure(store, (arm, m) =>
      /** @type {Split[]} */ (["kept", "seen", "new"]).flatMap((split) =>
        /** @type {RecallForm[]} */ (["cloze", "asked"]).map((form) => {
          const entry = Store.recall(m, split, form);
          return entry ? `${entry.correct} / ${entry.n}` : "–";
        }),
      ),
    ),
};

/** @type {LineFigure} */
const kl = {
  write: nats,
  axis: plain,
  lines: (store) => measured(store, (m) => m?.shift.kl, 0),
  caption(store) {
    const n = store.measure(store.armNames[0])?.shift.n;
    const now = store.perArm((arm) => nats(store.measure(arm)?.shift.kl));
    return t("figures.kl", { step: store.measuredStep, tokens: count(n), now });
  },
  head: [t("figures.head.step"), t("figures.head.arm"), t("figures.head.kl"), t("figures.head.tokens")],
  rows: (store) => eachMeasure(store, (arm, m) => [nats(m.shift.kl), count(m.shift.n)]),
};

const share = (/** @type {Measure | null} */ m, /** @type {Class} */ name) =>
  (m && m.shift.n > 0 ? (100 * m.shift[name]) / m.shift.n : NaN);

/** Stacked shares of one arm; drawn from the tallest area to the lowest, so that each covers the one behind. */
export function shareLines(/** @type {Store} */ store, /** @type {string} */ arm) {
  const { measures } = store.log(arm);
  /** @type {Record<Class, Class[]>} */
  const tops = { shifted: CLASSES, marginal: ["unshifted", "marginal"], unshifted: ["unshifted"] };
  /** @type {Class[]} */
  const names = ["shifted", "marginal", "unshifted"];
  const lines = names.map((name) => ({
    label: t(`token-class.${name}`),
    color: `${name}-line`,
    fill: `${name}-fill`,
    width: 1,
    now: share(store.measure(arm), name),
  }));
  const columns = new Columns(names.length, [0]);
  names.forEach((name, i) =>
    columns.extend(i, measures, (m) => tops[name].reduce((sum, part) => sum + share(m, part), 0)),
  );
  return { lines, x: columns.x, values: columns.values };
}

/** @type {Figure} */
const shares = {
  write: percentNow,
  axis: (value) => `${value} %`,
  caption(store) {
    const now = store.perArm((arm) =>
      CLASSES.map((name) => fixed(share(store.measure(arm), name), 0)).join(" / "),
    );
    return t("figures.shares", { step: store.measuredStep, now });
  },
  head: [
    t("figures.head.step"),
    t("figures.head.arm"),
    t("figures.head.unshifted"),
    t("figures.head.marginal"),
    t("figures.head.shifted"),
    t("figures.head.tokens"),
  ],
  rows: (store) =>
    eachMeasure(store, (arm, m) => [...CLASSES.map((name) => percent(share(m, name) / 100)), count(m.shift.n)]),
};

/**
 * A row of a table for every measure of every arm.
 * @param {Store} store
 * @param {(arm: string, m: Measure) => string[]} write
 */
function eachMeasure(store, write) {
  return store.armNames.flatMap((arm) =>
    store.log(arm).measures.map((m) => [count(m.step), store.label(arm), ...write(arm, m)]),
  );
}

export const FIGURES = { loss, recall, kl, shares };

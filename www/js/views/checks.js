/**
 * The counterfactual check: the source rows of borrowed answers are given another object, the arm trains again, and
 * the answers are looked at once more. An answer that follows the swap came from those rows.
 */
import { summaryArm } from "../state/comparisons.js";
import { el, find, table } from "../ui/dom.js";
import { armClass } from "../ui/arm-style.js";
import { count } from "../ui/format.js";
import { addView, makeDifference } from "../ui/frame.js";
import { t } from "../ui/text.js";
import { checkSentence } from "./summary-data.js";

/**
 * @typedef {import("../state/run-control.js").RunControl} RunControl
 * @typedef {import("../contract/types.js").Counterfactual} Counterfactual
 * @typedef {{check: Counterfactual, facts: import("../contract/types.js").WallFact[], where: string, label: string,
 *   place: number}} Shown  a check with what it refers to
 */

const MOST_EXAMPLES = 6;

/** Whether an arm of the shown run can be checked, and if not, why. */
function whyNoCheck(/** @type {RunControl} */ control, /** @type {string} */ arm) {
  const { store } = control;
  const borrowed = store.measure(arm, store.newest)?.wrong.some((wrong) => wrong.sources.length > 0);
  if (store.run && store.run.settings.swaps.length > 0) return t("checks.is-check");
  if (!control.canCheck) return t("checks.needs-end");
  return borrowed ? "" : t("checks.none-borrowed", { arm: store.label(arm) });
}

/** The button that starts a check, disabled with its reason where there can be none. */
export function checkButton(/** @type {RunControl} */ control, /** @type {string} */ arm) {
  const reason = whyNoCheck(control, arm);
  return el(
    "div",
    { class: "check" },
    el(
      "button",
      { type: "button", "data-check": arm, disabled: reason !== "", onclick: () => control.check(arm) },
      t("checks.check", { arm: control.store.label(arm) }),
    ),
    reason === "" ? null : el("p", { class: "hint" }, reason),
  );
}

/** Prepares the part of the findings that shows checks. */
export function makeChecks(/** @type {RunControl} */ control) {
  const { store } = control;
  const host = find("#checks");
  const isNew = makeDifference();
  const draw = () => {
    const arms = store.armNames;
    if (!isNew(store.run, store.summary, store.checks, ...arms.map((arm) => whyNoCheck(control, arm)))) return;
    const { run, summary } = store;
    const ofSummary = !summary
      ? []
      : (summary.counterfactual ?? []).map((check) => ({
          check,
          facts: store.summaryFacts,
          where: t("checks.experiment"),
          ...summaryArm(summary, check.arm),
        }));
    const ofRun = store.checks.map((check) => ({
      check,
      facts: run?.facts ?? [],
      where: t("checks.run-shown"),
      label: store.label(check.arm),
      place: store.placeOf(check.arm),
    }));
    const parts = [...ofSummary, ...ofRun].map(checkPart);
    find("#check-results").replaceChildren(...parts);
    find("#checks-none").hidden = parts.length > 0;
    find("#check-buttons").replaceChildren(...arms.map((arm) => checkButton(control, arm)));
  };
  addView(host, draw);
}

function checkPart(/** @type {Shown} */ { check, facts, where, label, place }) {
  const row = (
    /** @type {string} */ name,
    /** @type {Counterfactual["swapped"]} */ { n, followed, unchanged, right, other },
    /** @type {boolean} */ isControl,
  ) => [
    name,
    count(n),
    isControl ? "–" : count(followed),
    count(unchanged),
    count(right),
    count(other),
  ];
  const examples = check.examples
    .slice(0, MOST_EXAMPLES)
    .map(({ cell, from, to, after }) =>
      el(
        "li",
        {},
        el("span", { class: "cloze" }, facts[cell]?.cloze ?? t("checks.no-fact")),
        " ",
        el("mark", { class: "wrong" }, from),
        t("checks.swapped-to"),
        el("b", {}, to),
        t("checks.now"),
        after === to ? el("mark", { class: "wrong" }, after) : el("b", {}, after),
        after === to ? t("checks.followed") : "",
      ),
    );
  return el(
    "article",
    { class: armClass(place), "data-check-of": check.arm },
    el("h4", {}, `${where}, ${label}, ${t("checks.runs", { n: check.runs })}`),
    el("p", {}, checkSentence(check, label)),
    el(
      "div",
      { class: "scroll" },
      table(
        t("checks.caption"),
        [
          t("checks.head.rows"),
          t("checks.head.answers"),
          t("checks.head.followed"),
          t("checks.head.unchanged"),
          t("checks.head.right"),
          t("checks.head.other"),
        ],
        [row(t("checks.swapped"), check.swapped, false), row(t("checks.control"), check.control, true)],
      ),
    ),
    examples.length > 0 ? el("ul", { class: "check-examples" }, examples) : null,
  );
}

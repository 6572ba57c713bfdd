/**
 * The counterfactual check: the source rows of borrowed answers are given another object, the arm trains again, and
 * the answers are looked at once more. An answer that follows the swap came from those rows.
 */
import { el, find, table } from "../ui/dom.js";
import { armClass } from "../ui/arm-style.js";
import { count, plural } from "../ui/format.js";
import { addView, makeDifference } from "../ui/frame.js";
import { checkSentence, summaryArm } from "./summary-data.js";

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
  if (store.run && store.run.settings.swaps.length > 0) {
    return "The run shown is a check itself; Reset starts another run.";
  }
  if (!control.canCheck) return "Needs a run that has trained here to its end.";
  return borrowed ? "" : `${store.label(arm)} has borrowed nothing in this run; a higher rate makes it.`;
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
      `Check it (${control.store.label(arm)}): swap these rows, retrain, see whether the error follows`,
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
          where: "The experiment",
          ...summaryArm(summary, check.arm),
        }));
    const ofRun = store.checks.map((check) => ({
      check,
      facts: run?.facts ?? [],
      where: "The run shown",
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
        el("span", { class: "cloze" }, facts[cell]?.cloze ?? "(this file does not hold the fact)"),
        " ",
        el("mark", { class: "wrong" }, from),
        "; rows swapped to ",
        el("b", {}, to),
        "; now ",
        after === to ? el("mark", { class: "wrong" }, after) : el("b", {}, after),
        after === to ? " (followed)" : "",
      ),
    );
  return el(
    "article",
    { class: armClass(place), "data-check-of": check.arm },
    el("h4", {}, `${where}, ${label}, ${plural(check.runs, "check")}`),
    el("p", {}, checkSentence(check, label)),
    el(
      "div",
      { class: "scroll" },
      table(
        "What became of the borrowed answers",
        ["Rows", "Answers", "Followed the swap", "As before", "Now right", "Something else"],
        [row("swapped", check.swapped, false), row("kept (control)", check.control, true)],
      ),
    ),
    examples.length > 0 ? el("ul", { class: "check-examples" }, examples) : null,
  );
}

/** Errors as dismissible alerts at the top, and the polite status line. */
import { el, find, findAll, setText } from "./dom.js";
import { quoting } from "./english.js";
import { helpFor } from "./help.js";
import { t } from "./text.js";

/**
 * Shows an error; the same one is shown once.
 * @param {string} name
 * @param {string} message
 * @param {string} words  the engine's, after the page's
 * @param {{label: string, run: () => void} | null} remedy  what a button does about it
 */
export function showError(name, message, words = "", remedy = null) {
  const list = find("#alerts");
  const whole = `${message}${words}`;
  const known = findAll(".alert", list).some(({ dataset }) => dataset.error === name && dataset.message === whole);
  if (known) return;
  const said = words === "" ? [] : quoting("alerts.engine-says", words);
  const close = el(
    "button",
    { type: "button", class: "quiet", "aria-label": t("alerts.dismiss-label"), onclick: () => box.remove() },
    t("alerts.dismiss"),
  );
  const box = el(
    "div",
    { class: "alert", role: "alert", "data-error": name, "data-message": whole },
    el("div", {}, el("p", {}, el("strong", {}, helpFor(name))), el("p", { class: "detail" }, `${name}: ${message}`, said)),
    remedy && el("button", { type: "button", onclick: () => (box.remove(), remedy.run()) }, remedy.label),
    close,
  );
  list.append(box);
}

export function clearErrors(/** @type {string} */ name) {
  for (const box of findAll(`[data-error="${name}"]`, find("#alerts"))) box.remove();
}

/** Says something to screen readers, and in the line below the control bar. */
export function say(/** @type {string} */ text) {
  setText(find("#status"), text);
}

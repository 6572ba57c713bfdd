/** Parts of the page that a link hides, so that a class sees only what the lesson is about. */
import { el, find } from "../ui/dom.js";
import { HIDEABLE } from "../state/hash.js";

/**
 * @param {string[]} hidden names of the parts that the address hides
 * @param {() => void} changed called when the visitor hides or shows a part
 * @param {(names: string[]) => void} leaveOut called with the parts that are left out
 * @returns {{hidden: () => string[], hide: (names: string[]) => void}}
 */
export function makeClassView(hidden, changed, leaveOut) {
  const note = find("#hidden-note");
  const boxes = HIDEABLE.map((name) => {
    const box = el("input", { type: "checkbox", value: name, onchange: () => (apply(), changed()) });
    return box;
  });
  const chosen = () => boxes.filter((box) => !box.checked).map((box) => box.value);
  const apply = () => {
    for (const box of boxes) find(`#${box.value}`).classList.toggle("left-out", !box.checked);
    note.hidden = chosen().length === 0;
    leaveOut(chosen());
  };
  const title = (/** @type {string} */ name) => find(`#${name}-title`).textContent;
  find("#parts").append(...boxes.map((box) => el("label", { class: "box" }, box, title(box.value))));
  find("#show-parts").addEventListener("click", () => {
    hide([]);
    changed();
  });
  const hide = (/** @type {string[]} */ names) => {
    for (const box of boxes) box.checked = !names.includes(box.value);
    apply();
  };
  hide(hidden);
  return { hidden: chosen, hide };
}

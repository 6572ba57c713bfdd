/** Parts of the page that exist once per arm, by place in the run's list; all are copies of the first. */
import { MOST_ARMS } from "../contract/data.js";
import { armClass } from "./arm-style.js";
import { find } from "./dom.js";

/** Copies the element that `selector` names for every place; the page's own markup has the first. */
export function makeSlots(/** @type {string} */ selector, /** @type {ParentNode} */ root = document) {
  const first = find(selector, root);
  const slots = Array.from({ length: MOST_ARMS }, (_, place) => (place === 0 ? first : first.cloneNode(true)));
  first.after(...slots.slice(1));
  slots.forEach((slot, place) => {
    slot.classList.add(...armClass(place).split(" "));
    slot.hidden = place > 1; // two are the usual case: little moves when the first run arrives
  });
  return /** @type {any[]} */ (slots);
}

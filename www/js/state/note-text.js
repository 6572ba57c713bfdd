/**
 * A note of a run as a file of JSON. The events so far are most of it and are written again and again while the run trains:
 * each is turned into text once.
 */

/** @type {WeakMap<object, string>} */
const texts = new WeakMap();

function textOf(/** @type {object} */ event) {
  const text = texts.get(event) ?? JSON.stringify(event);
  texts.set(event, text);
  return text;
}

/** @param {{events: object[]} & Record<string, unknown>} note */
export function noteText({ events, ...rest }) {
  const head = JSON.stringify(rest).slice(0, -1);
  return new Blob([`${head}${head === "{" ? "" : ","}"events":[`, events.map(textOf).join(","), "]}"], { type: "application/json" });
}

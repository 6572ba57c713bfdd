/**
 * A note of a run as a file of JSON. The events so far are most of it and are written again and again while the run trains:
 * each becomes bytes once, and where many are new, frames are drawn in between.
 */

/** Milliseconds after which something else has its turn. */
const SLICE_MS = 2;

const encoder = new TextEncoder();
const COMMA = encoder.encode(",");
/** @type {WeakMap<object, Uint8Array<ArrayBuffer>>} */
const encoded = new WeakMap();

/** @param {{events: object[]} & Record<string, unknown>} note */
export async function noteText({ events, ...rest }) {
  const head = JSON.stringify(rest).slice(0, -1);
  /** @type {BlobPart[]} */
  const parts = [`${head}${head === "{" ? "" : ","}"events":[`];
  let since = performance.now();
  for (const event of events) {
    let bytes = encoded.get(event);
    if (!bytes) {
      if (performance.now() - since > SLICE_MS) {
        await new Promise((resolve) => setTimeout(resolve));
        since = performance.now();
      }
      bytes = encoder.encode(JSON.stringify(event));
      encoded.set(event, bytes);
    }
    if (parts.length > 1) parts.push(COMMA);
    parts.push(bytes);
  }
  return new Blob([...parts, "]}"], { type: "application/json" });
}

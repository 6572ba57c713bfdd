/** Rows of the instruction set of the run that is shown, parsed once per set. */
import { read } from "../state/dataset.js";

/**
 * @param {import("../state/store.js").Store} store
 * @param {() => string} builtIn the page's own set, "" before it is there
 */
export function makeRows(store, builtIn) {
  let parsed = "";
  /** @type {import("../state/dataset.js").Row[] | null} */
  let rows = null;
  return () => {
    const isOwn = store.source.kind === "recorded" || store.source.kind === "live";
    const text = store.source.instructions ?? (isOwn ? builtIn() : "");
    if (text === parsed) return rows;
    parsed = text;
    const reading = read(text, "instructions.jsonl");
    // The engine's rows are those of a set without a bad one.
    rows = text === "" || reading.bad.length > 0 ? null : reading.rows;
    return rows;
  };
}

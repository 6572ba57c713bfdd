/** Rows of the instruction set of the run that is shown, parsed once per set. */
import { LineError, parseInstructions } from "../state/instructions.js";

/**
 * @param {import("../state/store.js").Store} store
 * @param {() => string} builtIn the page's own set, "" before it is there
 */
export function makeRows(store, builtIn) {
  let parsed = "";
  /** @type {ReturnType<typeof parseInstructions> | null} */
  let rows = null;
  return () => {
    const isOwn = store.source.kind === "recorded" || store.source.kind === "live";
    const text = store.source.instructions ?? (isOwn ? builtIn() : "");
    if (text === parsed) return rows;
    parsed = text;
    try {
      rows = text === "" ? null : parseInstructions(text);
    } catch (error) {
      if (!(error instanceof LineError)) throw error;
      rows = null;
    }
    return rows;
  };
}

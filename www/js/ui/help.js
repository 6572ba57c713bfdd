/** Help for errors by name: the engine's from the contract, and those of the page itself. */
import { ERROR_HELP } from "../contract/data.js";

/** @type {Record<string, string>} */
const HELP = {
  ...ERROR_HELP,
  worker: "The engine stopped. What was recorded so far stays on the page; reload to train again.",
  download: "A file of the model could not be fetched. Check the connection and reload.",
  bench: "This engine could not be measured here.",
  import: "The file was not opened; the page still shows what it showed before.",
  model: "The model was not loaded; everything is as it was before.",
  address: "Some settings in the address could not be read; the defaults are used for them.",
  instructions: "The instruction set has an error, so no run was started.",
  probes: "Your own facts have an error, so no run was started. Correct them, or test with the built-in facts.",
};

/** A sentence or two on what to do about an error. */
export function helpFor(/** @type {string} */ name) {
  return HELP[name] ?? "Something went wrong.";
}

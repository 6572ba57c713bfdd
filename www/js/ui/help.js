/** Help for errors by name: the engine's from the contract, and those of the page itself. */
import { ERROR_HELP } from "../contract/data.js";
import { t, textOr } from "./text.js";

/** The page's own. @type {Record<string, string>} */
const HELP = {
  worker: t("help.worker"),
  silent: t("help.silent"),
  download: t("help.download"),
  bench: t("help.bench"),
  import: t("help.import"),
  model: t("help.model"),
  address: t("help.address"),
  instructions: t("help.instructions"),
  probes: t("help.probes"),
  lesson: t("help.lesson"),
  picture: t("help.picture"),
};

/** A sentence or two on what to do about an error. */
export function helpFor(/** @type {string} */ name) {
  return HELP[name] ?? textOr(`error.${name}`, ERROR_HELP[name] ?? t("help.other"));
}

/** What the engine says in words of its own: they are English in every language, and marked so that a voice reads them as such. */
import { el } from "./dom.js";
import { t } from "./text.js";

/** A text of the catalogue, in which `{words}` stands for the engine's. @returns {(string | Node)[]} */
export function quoting(/** @type {string} */ name, /** @type {string} */ words) {
  const [before, after = ""] = t(name).split("{words}");
  return [before, el("span", { lang: "en" }, words), after];
}

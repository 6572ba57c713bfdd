/**
 * The page's words. Each has a name in `lang/en.json`; a text that another language lacks is shown in English. The markup
 * holds its English itself, so that it is there before this is: `data-t` names the text of an element, `data-t-NAME` that of
 * an attribute.
 */
import english from "../../lang/en.json" with { type: "json" };
import { language, translation } from "./language.js";

/** @typedef {string | Record<string, string>} Text  by plural form, for texts that count `n` */

const plurals = new Intl.PluralRules(language);
const numbers = new Intl.NumberFormat(language);
/** Texts between their placeholders, whose names are every second part: the same ones are written frame after frame. @type {Map<string, string[]>} */
const split = new Map();

/** @type {Record<string, Text>} */
const catalogue = { ...english };
if (translation) {
  Object.assign(catalogue, (await translation).default);
  document.documentElement.lang = language;
  translate(document.documentElement);
  document.documentElement.classList.remove("is-untranslated");
}

/**
 * The text of a name, with its `{placeholders}` filled: numbers as the language writes them. A text of several plural
 * forms goes by `n`. An unknown name is shown as it is, so that it is seen.
 * @param {string} name
 * @param {Record<string, string | number>} [values]
 */
export function t(name, values = {}) {
  const text = catalogue[name] ?? name;
  const form = typeof text === "string" ? text : (text[plurals.select(Number(values.n))] ?? text.other);
  let parts = split.get(form);
  if (!parts) split.set(form, (parts = form.split(/\{(\w+)\}/)));
  let filled = parts[0];
  for (let i = 1; i < parts.length; i += 2) {
    const value = values[parts[i]] ?? `{${parts[i]}}`;
    filled += typeof value === "number" ? numbers.format(value) : value;
    filled += parts[i + 1];
  }
  return filled;
}

/**
 * The text of a name where there is one, otherwise `fallback`: for what the engine and its contract say in English.
 * @param {string} name
 * @param {string} fallback
 * @param {Record<string, string | number>} [values]
 */
export function textOr(name, fallback, values = {}) {
  return Object.hasOwn(catalogue, name) ? t(name, values) : fallback;
}

/** Puts the language's texts into the markup. */
function translate(/** @type {Element} */ root) {
  for (const element of root.querySelectorAll("*")) {
    for (const { name, value } of [...element.attributes]) {
      if (name === "data-t") setMarked(element, t(value));
      else if (name.startsWith("data-t-")) element.setAttribute(name.slice("data-t-".length), t(value));
    }
  }
}

/** Sets a text in which `<1>…</1>` stands for the element's first child element, and so on. */
function setMarked(/** @type {Element} */ element, /** @type {string} */ text) {
  const children = [...element.children];
  const parts = text.split(/<(\d)>(.*?)<\/\1>/s);
  element.replaceChildren();
  for (let i = 0; i < parts.length; i += 3) {
    element.append(parts[i]);
    const child = children[Number(parts[i + 1]) - 1];
    if (!child) continue;
    if (!child.hasAttribute("data-t") && child.children.length === 0) child.textContent = parts[i + 2];
    element.append(child);
  }
}

/** The text of an element as the catalogue writes it: the reverse of `setMarked`. */
export function markedText(/** @type {Element} */ element) {
  let place = 0;
  const write = (/** @type {Node} */ node) => {
    if (!(node instanceof Element)) return node.textContent ?? "";
    place += 1;
    return `<${place}>${node.hasAttribute("data-t") || node.children.length > 0 ? "" : node.textContent}</${place}>`;
  };
  return [...element.childNodes].map(write).join("").replace(/\s+/g, " ").trim();
}

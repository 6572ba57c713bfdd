/**
 * Which language the page is in. Runs before anything is painted, by itself: a page that is still to be translated is not
 * shown (css/base.css), for all of it would change under the reader's eyes.
 */

const LANGUAGES = ["en", "de"];
const asked = new URLSearchParams(globalThis.location?.search ?? "").get("lang");

/** What `?lang=` asks for, otherwise the browser's first language that is here, otherwise English. */
export const language = chooseLanguage(asked, globalThis.navigator?.languages ?? []);

/** Its texts, where it is not English. */
export const translation = language === "en" ? null : import(`../../lang/${language}.json`, { with: { type: "json" } });

if (translation) document.documentElement.classList.add("is-untranslated");
// Links to our other pages keep the language that was asked for.
if (asked) for (const link of document.querySelectorAll("a[data-same-language]")) link.setAttribute("href", `${link.getAttribute("href")}?lang=${language}`);

export function chooseLanguage(/** @type {string | null} */ asked, /** @type {readonly string[]} */ preferred) {
  const wanted = [asked ?? "", ...preferred].map((name) => name.toLowerCase().split("-")[0]);
  return wanted.find((name) => LANGUAGES.includes(name)) ?? "en";
}

/** An answer as a row of tokens, coloured and underlined by how far each is from the base's choice. */
import { classOf } from "../state/token-class.js";
import { armClass } from "../ui/arm-style.js";
import { el } from "../ui/dom.js";
import { nats, probability } from "../ui/format.js";
import { t } from "../ui/text.js";

/**
 * The tokens as buttons with one tab stop; arrow keys move between them.
 * @param {import("../contract/types.js").ShiftToken[]} tokens
 * @param {number} chosen index, -1 for none
 * @param {string} label
 * @param {(index: number) => void} onChoose
 */
export function tokenRow(tokens, chosen, label, onChoose) {
  const stop = chosen >= 0 ? chosen : 0;
  const buttons = tokens.map((token, i) => {
    const shift = { class: t(`token-class.${classOf(token.rank)}`), rank: String(token.rank) };
    const text = token.text.trim() || t("tokens.space");
    return el(
      "button",
      {
        type: "button",
        class: `token ${classOf(token.rank)}`,
        tabindex: i === stop ? 0 : -1,
        "aria-pressed": String(i === chosen),
        "aria-label": t("tokens.spoken", { ...shift, place: String(i + 1), token: text }),
        title: t("tokens.title", { ...shift, kl: nats(token.kl) }),
        onclick: () => onChoose(i),
      },
      visible(token.text),
    );
  });
  const move = (/** @type {KeyboardEvent} */ event) => {
    const from = buttons.findIndex((button) => button === document.activeElement);
    /** @type {Record<string, number | undefined>} */
    const places = { ArrowRight: from + 1, ArrowLeft: from - 1, Home: 0, End: buttons.length - 1 };
    const to = places[event.key];
    if (from < 0 || to === undefined || !buttons[to]) return;
    event.preventDefault();
    buttons[from].tabIndex = -1;
    buttons[to].tabIndex = 0;
    buttons[to].focus();
    onChoose(to);
  };
  return el(
    "div",
    { class: "tokens", role: "group", "aria-label": label, "data-uses-arrows": true, onkeydown: move },
    buttons,
  );
}

/** Marks another token of a row. */
export function markToken(/** @type {Element} */ row, /** @type {number} */ chosen) {
  [...row.children].forEach((button, i) => button.setAttribute("aria-pressed", String(i === chosen)));
}

/** Spaces and line ends that would be invisible. */
export function visible(/** @type {string} */ text) {
  if (text === "") return "∅";
  return text.replaceAll("\n", "↵");
}

/**
 * The ten likeliest tokens of one model, with bars and what is left for all others.
 * @param {string} caption
 * @param {import("../contract/types.js").ShiftToken["top"]} top
 * @param {string} chosenText
 * @param {number} place of the model's arm, -1 for the base
 */
export function topTable(caption, top, chosenText, place) {
  const rows = top.map(([text, logprob]) => barRow(t("tokens.quoted", { token: visible(text) }), logprob, text === chosenText));
  const head = [t("tokens.token"), t("tokens.probability")].map((name) => el("th", { scope: "col" }, name));
  const rest = Math.max(0, 1 - top.reduce((sum, [, logprob]) => sum + Math.exp(logprob ?? -Infinity), 0));
  return el(
    "table",
    { class: `top ${armClass(place)}` },
    el("caption", {}, caption),
    el("thead", {}, el("tr", {}, head)),
    el("tbody", {}, rows, barRow(t("tokens.all-others"), Math.log(rest), false, "rest")),
  );
}

function barRow(
  /** @type {string} */ label,
  /** @type {number | null} */ logprob,
  /** @type {boolean} */ isChosen,
  kind = "",
) {
  const width = `${Math.min(100, 100 * Math.exp(logprob ?? -Infinity)).toFixed(2)}%`;
  const bar = el("span", { class: "fill" });
  bar.style.width = width;
  const text = logprob === -Infinity ? "0 %" : probability(logprob);
  return el(
    "tr",
    { class: `${kind} ${isChosen ? "chosen" : ""}` },
    el("th", { scope: "row" }, label),
    el("td", {}, bar, el("span", { class: "value" }, text)),
  );
}

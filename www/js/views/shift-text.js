/** One held-out question answered by every arm, token by token, and the two distributions at a chosen token. */
import { el, find, setText, update } from "../ui/dom.js";
import { NOT_MEASURED, nats, probability } from "../ui/format.js";
import { mostShifted } from "../state/cursor.js";
import { classOf, shiftedOf } from "../state/token-class.js";
import { say } from "../ui/alerts.js";
import { addView } from "../ui/frame.js";
import { makeSlots } from "../ui/slots.js";
import { t } from "../ui/text.js";
import { markToken, tokenRow, topTable, visible } from "./tokens.js";

/** @typedef {import("../contract/types.js").ShiftText} ShiftText */

export class ShiftTextView {
  /**
   * @param {import("../state/store.js").Store} store
   * @param {import("../state/cursor.js").Cursor} cursor
   */
  constructor(store, cursor) {
    this.store = store;
    this.cursor = cursor;
    this.section = find("#shift");
    this.select = find("#shift-question");
    /** The questions as drawn. */
    this.key = "";
    this.slots = makeSlots("[data-shift]", this.section);
    /** The answers as drawn, and the tokens that are chosen in them, by place. @type {{text: ShiftText | null, token: number}[]} */
    this.drawn = [];
    this.select.addEventListener("change", () => cursor.ask(this.select.value));
    find("#most-shifted").addEventListener("click", () => this.showMostShifted());
    addView(
      this.section,
      () => this.drawQuestions(),
      () => this.writeCaption(),
    );
    this.slots.forEach((slot, place) => addView(slot, () => this.drawArm(slot, place)));
  }

  /** @private */
  drawQuestions() {
    const { questions } = this.store;
    this.slots.forEach((slot, place) => {
      const arm = this.store.armAt(place);
      update(slot, { hidden: arm === null });
      if (arm === null) return;
      update(slot.dataset, { shift: arm });
      setText(find(".arm-title", slot), this.store.dosedLabel(arm));
    });
    const key = JSON.stringify(questions);
    if (!questions.includes(this.cursor.question)) this.cursor.ask(questions[0] ?? "");
    if (this.key !== key) this.select.replaceChildren(...questions.map((question) => el("option", { value: question }, question)));
    this.key = key;
    update(this.select, { value: this.cursor.question });
  }

  /** @private */
  showMostShifted() {
    const question = mostShifted(this.store);
    if (!question) return say(t("shift-text.none-shifted"));
    this.cursor.ask(question);
    say(t("shift-text.most-shifted", { question }));
  }

  /** @private */
  drawArm(/** @type {HTMLElement} */ host, /** @type {number} */ place) {
    const arm = this.store.armAt(place);
    if (arm === null) return;
    const text = this.store.text(arm, this.cursor.question);
    const last = this.drawn[place];
    const token = this.cursor.token(arm) < (text?.tokens.length ?? 0) ? this.cursor.token(arm) : -1;
    if (last && last.text === text && last.token === token) return;
    this.drawn[place] = { text, token };
    const body = find(".answer", host);
    if (!text) {
      body.replaceChildren(el("p", { class: "soft" }, t("shift-text.no-answer")));
      find(".tops", host).replaceChildren();
      return;
    }
    setText(find(".at", host), ` ${t("shift-text.after", { n: text.step })}`); // a space of its own would move as it comes
    if (last?.text === text) {
      markToken(find(".tokens", host), token);
    } else {
      const hadFocus = body.contains(document.activeElement);
      const label = t("shift-text.answer-of", { arm: this.store.label(arm) });
      body.replaceChildren(tokenRow(text.tokens, token, label, (i) => this.cursor.choose(arm, i)));
      if (hadFocus) find('[tabindex="0"]', body).focus();
    }
    this.drawTops(place, text, token);
  }

  /** @private */
  drawTops(/** @type {number} */ place, /** @type {ShiftText} */ text, /** @type {number} */ chosen) {
    const host = find(".tops", this.slots[place]);
    const token = text.tokens[chosen];
    if (!token) return host.replaceChildren();
    const label = this.store.label(text.arm);
    const values = {
      token: visible(token.text),
      rank: token.rank,
      class: t(`token-class.${classOf(token.rank)}`),
      base: probability(token.base_logprob),
      arm: label,
      tuned: probability(token.logprob),
      kl: nats(token.kl),
    };
    host.replaceChildren(
      el("p", {}, token.rank === 1 ? t("shift-text.first-choice", values) : t("shift-text.choice", values)),
      el(
        "div",
        { class: "pair" },
        topTable(t("shift-text.base"), token.base_top, token.text, -1),
        topTable(label, token.top, token.text, place),
      ),
    );
  }

  /** @private */
  writeCaption() {
    const parts = this.store.armNames.map((arm) => {
      const tokens = this.store.text(arm, this.cursor.question)?.tokens ?? [];
      const shifted = shiftedOf(tokens);
      return t("shift-text.shifted-of", { arm: this.store.label(arm), shifted, all: tokens.length });
    });
    if (parts.length === 0) return;
    const caption = t("shift-text.caption", { arms: parts.join(", ") });
    setText(find("#shift-caption"), this.store.isMeasured ? caption : NOT_MEASURED);
  }
}

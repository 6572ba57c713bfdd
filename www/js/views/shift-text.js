/** One held-out question answered by every arm, token by token, and the two distributions at a chosen token. */
import { el, find, setText, update } from "../ui/dom.js";
import { NOT_MEASURED, count, nats, plural, probability } from "../ui/format.js";
import { addView, invalidate } from "../ui/frame.js";
import { makeSlots } from "../ui/slots.js";
import { classOf, markToken, tokenRow, topTable, visible } from "./tokens.js";

/** @typedef {import("../contract/types.js").ShiftText} ShiftText */

export class ShiftTextView {
  constructor(/** @type {import("../state/store.js").Store} */ store) {
    this.store = store;
    this.section = find("#shift");
    this.select = find("#shift-question");
    this.question = "";
    /** The questions as drawn. */
    this.key = "";
    this.slots = makeSlots("[data-shift]", this.section);
    /** Chosen token of the arm at each place. @type {number[]} */
    this.chosen = this.slots.map(() => -1);
    /** The answers as drawn, by place. @type {(ShiftText | null)[]} */
    this.drawn = [];
    this.select.addEventListener("change", () => {
      this.question = this.select.value;
      this.chosen.fill(-1);
      invalidate();
    });
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
    if (this.key === key) return;
    this.key = key;
    if (!questions.includes(this.question)) this.question = questions[0] ?? "";
    this.select.replaceChildren(
      ...questions.map((question) => el("option", { value: question, selected: question === this.question }, question)),
    );
  }

  /** @private */
  drawArm(/** @type {HTMLElement} */ host, /** @type {number} */ place) {
    const arm = this.store.armAt(place);
    const text = arm === null ? null : this.store.text(arm, this.question);
    if (arm === null || this.drawn[place] === text) return;
    this.drawn[place] = text;
    const body = find(".answer", host);
    if (!text) {
      body.replaceChildren(el("p", { class: "soft" }, "No answer was recorded up to this step."));
      find(".tops", host).replaceChildren();
      return;
    }
    setText(find(".at", host), `after ${plural(text.step, "step")}`);
    const hadFocus = body.contains(document.activeElement);
    if (this.chosen[place] >= text.tokens.length) this.chosen[place] = -1;
    const label = `${this.store.label(arm)}'s answer`;
    const row = tokenRow(text.tokens, this.chosen[place], label, (i) => this.choose(place, i));
    body.replaceChildren(row);
    if (hadFocus) find('[tabindex="0"]', body).focus();
    this.drawTops(place, text);
  }

  /** @private */
  choose(/** @type {number} */ place, /** @type {number} */ index) {
    this.chosen[place] = index;
    markToken(find(".tokens", this.slots[place]), index);
    this.drawTops(place, this.drawn[place]);
  }

  /** @private */
  drawTops(/** @type {number} */ place, /** @type {ShiftText | null} */ text) {
    const host = find(".tops", this.slots[place]);
    const token = text?.tokens[this.chosen[place]];
    if (!text || !token) {
      host.replaceChildren(
        el("p", { class: "soft" }, "Choose a token to compare the two distributions it was picked from."),
      );
      return;
    }
    const label = this.store.label(text.arm);
    const choice = token.rank === 1 ? "first choice" : `choice number ${count(token.rank)}`;
    host.replaceChildren(
      el(
        "p",
        {},
        `“${visible(token.text)}” is the base's ${choice} here (${classOf(token.rank)}): ` +
          `${probability(token.base_logprob)} in the base, ${probability(token.logprob)} in ${label}; ` +
          `KL ${nats(token.kl)} nats.`,
      ),
      el(
        "div",
        { class: "pair" },
        topTable("Base", token.base_top, token.text, -1),
        topTable(label, token.top, token.text, place),
      ),
    );
  }

  /** @private */
  writeCaption() {
    const parts = this.store.armNames.map((arm) => {
      const tokens = this.store.text(arm, this.question)?.tokens ?? [];
      const shifted = tokens.filter((token) => token.rank > 3).length;
      return `${this.store.label(arm)} ${shifted} of ${tokens.length}`;
    });
    if (parts.length === 0) return;
    const caption = `Shifted tokens in these answers: ${parts.join(", ")}.`;
    setText(find("#shift-caption"), this.store.isMeasured ? caption : NOT_MEASURED);
  }
}

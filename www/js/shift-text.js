/** One held-out question answered by both arms, token by token, and the two distributions at a chosen token. */
import { el, find, setText, update } from "./dom.js";
import { ARM_LABEL, NOT_MEASURED, count, nats, plural, probability } from "./format.js";
import { addView, invalidate } from "./frame.js";
import { classOf, markToken, tokenRow, topTable, visible } from "./tokens.js";

const ARMS = ["lora", "full"];

export class ShiftTextView {
  constructor(/** @type {import("./store.js").Store} */ store) {
    this.store = store;
    this.section = find("#shift");
    this.select = find("#shift-question");
    this.question = "";
    /** Chosen token of each arm. */
    this.chosen = { lora: -1, full: -1 };
    /** The answers as drawn. */
    this.drawn = new Map();
    this.select.addEventListener("change", () => {
      this.question = this.select.value;
      this.chosen = { lora: -1, full: -1 };
      invalidate();
    });
    addView(
      this.section,
      () => this.drawQuestions(),
      () => this.writeCaption(),
    );
    for (const arm of ARMS) addView(this.hostOf(arm), () => this.drawArm(arm));
  }

  /** @private */
  hostOf(arm) {
    return find(`[data-shift="${arm}"]`, this.section);
  }

  /** @private */
  drawQuestions() {
    const { questions } = this.store;
    for (const arm of ARMS) update(this.hostOf(arm), { hidden: !this.store.arms.has(arm) });
    const key = JSON.stringify(questions);
    if (this.key === key) return;
    this.key = key;
    if (!questions.includes(this.question)) this.question = questions[0] ?? "";
    this.select.replaceChildren(
      ...questions.map((question) => el("option", { value: question, selected: question === this.question }, question)),
    );
  }

  /** @private */
  drawArm(arm) {
    const host = this.hostOf(arm);
    const text = this.store.text(arm, this.question);
    if (!this.store.arms.has(arm) || this.drawn.get(arm) === text) return;
    this.drawn.set(arm, text);
    const body = find(".answer", host);
    if (!text) {
      body.replaceChildren(el("p", { class: "soft" }, "No answer was recorded up to this step."));
      find(".tops", host).replaceChildren();
      return;
    }
    setText(find(".at", host), `after ${plural(text.step, "step")}`);
    const hadFocus = body.contains(document.activeElement);
    if (this.chosen[arm] >= text.tokens.length) this.chosen[arm] = -1;
    const row = tokenRow(text.tokens, this.chosen[arm], `${ARM_LABEL[arm]}'s answer`, (i) => this.choose(arm, i));
    body.replaceChildren(row);
    if (hadFocus) find('[tabindex="0"]', body).focus();
    this.drawTops(arm, text);
  }

  /** @private */
  choose(arm, index) {
    this.chosen[arm] = index;
    markToken(find(`[data-shift="${arm}"] .tokens`, this.section), index);
    this.drawTops(arm, this.store.text(arm, this.question));
  }

  /** @private */
  drawTops(arm, text) {
    const host = find(`[data-shift="${arm}"] .tops`, this.section);
    const token = text?.tokens[this.chosen[arm]];
    if (!token) {
      host.replaceChildren(
        el("p", { class: "soft" }, "Choose a token to compare the two distributions it was picked from."),
      );
      return;
    }
    const place = token.rank === 1 ? "first choice" : `choice number ${count(token.rank)}`;
    host.replaceChildren(
      el(
        "p",
        {},
        `“${visible(token.text)}” is the base's ${place} here (${classOf(token.rank)}): ${probability(token.base_logprob)} in the base, ${probability(token.logprob)} in ${ARM_LABEL[arm]}; KL ${nats(token.kl)} nats.`,
      ),
      el(
        "div",
        { class: "pair" },
        topTable("Base", token.base_top, token.text, "base"),
        topTable(ARM_LABEL[arm], token.top, token.text, arm),
      ),
    );
  }

  /** @private */
  writeCaption() {
    const parts = this.store.armNames.map((arm) => {
      const tokens = this.store.text(arm, this.question)?.tokens ?? [];
      const shifted = tokens.filter((token) => token.rank > 3).length;
      return `${ARM_LABEL[arm]} ${shifted} of ${tokens.length}`;
    });
    if (parts.length === 0) return;
    const caption = `Shifted tokens in these answers: ${parts.join(", ")}.`;
    setText(find("#shift-caption"), this.store.isMeasured ? caption : NOT_MEASURED);
  }
}

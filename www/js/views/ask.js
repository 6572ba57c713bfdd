/** A free question, answered by the base and by every arm as they are now. */
import { shiftedOf } from "../state/token-class.js";
import { say } from "../ui/alerts.js";
import { el, find, findAll, setText, update } from "../ui/dom.js";
import { BASE } from "../contract/data.js";
import { makeSlots } from "../ui/slots.js";
import { t } from "../ui/text.js";
import { SAMPLING, describeSampling, readField } from "./sampling.js";
import { markToken, tokenRow, topTable } from "./tokens.js";

/**
 * @typedef {import("../contract/types.js").Sampling} Sampling
 * @typedef {import("../contract/types.js").Message} Message
 */

const LONGEST_ANSWER = 60;

export class Ask {
  /**
   * @param {import("../state/store.js").Store} store
   * @param {(command: import("../contract/types.js").Command) => void} post
   */
  constructor(store, post) {
    this.store = store;
    this.post = post;
    this.slots = makeSlots("[data-answer-slot]", find("#ask-answers"));
    this.base = find('[data-answer="base"]');
    this.id = 0;
    this.stop = find("#ask-stop");
    this.stop.addEventListener("click", () => this.send(""));
    this.sampling = /** @type {Sampling} */ ({});
    for (const name of /** @type {(keyof Sampling)[]} */ (Object.keys(SAMPLING))) this.wireField(name);
    this.form = find("#ask-form");
    this.form.addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      this.ask(find("#ask-question").value.trim());
    });
    for (const button of findAll("[data-ask]")) {
      button.addEventListener("click", () => this.put(button.textContent));
    }
  }

  /** Asks a question that another part of the page has. */
  put(/** @type {string} */ question) {
    const input = find("#ask-question");
    input.value = question;
    if (!input.disabled) this.ask(question);
  }

  /** A field of the sampling: text that is no number gives way to the last value. @private */
  wireField(/** @type {keyof Sampling} */ name) {
    const input = find(`#ask-sampling [name="${name}"]`);
    const show = () => (input.value = String(this.sampling[name]));
    this.sampling[name] = SAMPLING[name].start;
    input.addEventListener("change", () => {
      this.sampling[name] = readField(name, input.value, this.sampling[name]);
      show();
    });
    show();
  }

  /** Says whether questions can be asked, and why not. */
  enable(/** @type {boolean} */ isLive, /** @type {boolean} */ hasRun) {
    for (const control of findAll("button, input", find("#ask"))) update(control, { disabled: !isLive });
    const ready = hasRun ? t("ask.all-answer") : t("ask.base-answers");
    setText(find("#ask-note"), isLive ? ready : t("ask.no-engine"));
  }

  /** @private */
  ask(/** @type {string} */ question) {
    if (question === "") return;
    this.id += 1;
    find("#ask-answers").hidden = false;
    this.slots.forEach((slot, place) => {
      const arm = this.store.armAt(place);
      slot.hidden = arm === null;
      if (arm === null) return;
      slot.dataset.answer = arm;
      setText(find("h3", slot), this.store.dosedLabel(arm));
    });
    for (const host of this.hosts) {
      host.ariaBusy = "true";
      find(".answer", host).replaceChildren(el("p", { class: "writing" }, "…"));
      find(".tops", host).replaceChildren();
    }
    update(this.stop, { hidden: false });
    setText(find("#ask-asked"), t("ask.asked", { question, sampling: describeSampling(this.sampling) }));
    this.send(question);
  }

  /** Asks; "" stops the answers to the question before. @private */
  send(/** @type {string} */ question) {
    const sampling = { ...this.sampling };
    this.post({ type: "ask", id: this.id, question, max_tokens: LONGEST_ANSWER, sampling });
  }

  /** The places of the answers to the question that was asked last. @private */
  get hosts() {
    return [this.base, ...this.slots.filter((slot) => !slot.hidden)];
  }

  /** Where an answer goes; nowhere if it is one to an earlier question. @private */
  hostOf(/** @type {number} */ id, /** @type {string} */ arm) {
    return id === this.id ? this.hosts.find((host) => host.dataset.answer === arm) : undefined;
  }

  /** Shows what has been written so far. */
  write(/** @type {Extract<Message, {type: "answering"}>} */ { id, texts }) {
    for (const [arm, text] of Object.entries(texts)) {
      const host = this.hostOf(id, arm);
      if (host && text !== "") setText(find(".writing", host), text);
    }
  }

  /** No more comes; without an `id` because the engine has failed. What was written stays. */
  end(id = this.id) {
    if (id !== this.id || this.stop.hidden) return;
    update(this.stop, { hidden: true });
    const areWhole = this.hosts.every((host) => host.ariaBusy === "false");
    for (const host of this.hosts) host.ariaBusy = "false";
    say(areWhole ? t("ask.answered") : t("ask.incomplete"));
  }

  /** Shows a whole answer. */
  receive(/** @type {Extract<Message, {type: "answer"}>} */ answer) {
    const host = this.hostOf(answer.id, answer.arm);
    if (!host) return;
    host.ariaBusy = "false";
    const place = this.store.placeOf(answer.arm);
    const label = this.store.label(answer.arm);
    const tops = find(".tops", host);
    const row = tokenRow(answer.tokens, -1, t("ask.answer-of", { arm: label }), (i) => {
      markToken(row, i);
      const token = answer.tokens[i];
      const tables = [topTable(t("ask.base"), token.base_top, token.text, -1)];
      if (answer.arm !== BASE) tables.push(topTable(label, token.top, token.text, place));
      tops.replaceChildren(el("div", { class: "pair" }, tables));
    });
    const shifted = shiftedOf(answer.tokens);
    const n = answer.tokens.length;
    const note = answer.arm === BASE ? t("ask.tokens", { n }) : t("ask.shifted", { n, shifted: String(shifted) });
    find(".answer", host).replaceChildren(
      n > 0 ? row : el("p", { class: "soft" }, t("ask.nothing")),
      el("p", { class: "soft" }, note),
    );
  }
}

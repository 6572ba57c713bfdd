/** A free question, answered by the base and by both arms as they are now. */
import { el, find, findAll, setText, update } from "./dom.js";
import { ARM_LABEL, plural } from "./format.js";
import { SAMPLING, describeSampling, readField } from "./sampling.js";
import { markToken, tokenRow, topTable } from "./tokens.js";

const LONGEST_ANSWER = 60;
const COLUMNS = ["base", "lora", "full"];

export class Ask {
  /** @param {(command: import("./protocol.js").Command) => void} post */
  constructor(post) {
    this.post = post;
    this.id = 0;
    this.sampling = /** @type {import("./sampling.js").Sampling} */ ({});
    for (const name of Object.keys(SAMPLING)) this.wireField(name);
    this.form = find("#ask-form");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.ask(find("#ask-question").value.trim());
    });
    for (const button of findAll("[data-ask]")) {
      button.addEventListener("click", () => {
        find("#ask-question").value = button.textContent;
        this.ask(button.textContent);
      });
    }
  }

  /** A field of the sampling: text that is no number gives way to the last value. @private */
  wireField(name) {
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
  enable(isLive, hasRun) {
    for (const control of findAll("button, input", find("#ask"))) update(control, { disabled: !isLive });
    const ready = hasRun ? "The base and both arms as they are now." : "Before a run starts only the base answers.";
    setText(find("#ask-note"), isLive ? ready : "Asking needs the engine, which is not running on this page.");
  }

  /** @private */
  ask(question) {
    if (question === "") return;
    this.id += 1;
    find("#ask-answers").hidden = false;
    for (const arm of COLUMNS) {
      find(`[data-answer="${arm}"] .answer`).replaceChildren(el("p", { class: "soft" }, "…"));
      find(`[data-answer="${arm}"] .tops`).replaceChildren();
    }
    const sampling = { ...this.sampling };
    setText(find("#ask-asked"), `Asked: “${question}” (${describeSampling(sampling)})`);
    this.post({ type: "ask", id: this.id, question, max_tokens: LONGEST_ANSWER, sampling });
  }

  /** Shows an answer; those to an earlier question are dropped. */
  receive(/** @type {import("./protocol.js").Answer} */ answer) {
    if (answer.id !== this.id || !COLUMNS.includes(answer.arm)) return;
    const host = find(`[data-answer="${answer.arm}"]`);
    const tops = find(".tops", host);
    const row = tokenRow(answer.tokens, -1, `${ARM_LABEL[answer.arm]}'s answer`, (i) => {
      markToken(row, i);
      const token = answer.tokens[i];
      const tables = [topTable("Base", token.base_top, token.text, "base")];
      if (answer.arm !== "base") tables.push(topTable(ARM_LABEL[answer.arm], token.top, token.text, answer.arm));
      tops.replaceChildren(el("div", { class: "pair" }, tables));
    });
    const shifted = answer.tokens.filter((token) => token.rank > 3).length;
    const note =
      answer.arm === "base"
        ? plural(answer.tokens.length, "token")
        : `${shifted} of ${plural(answer.tokens.length, "token")} shifted`;
    find(".answer", host).replaceChildren(
      answer.tokens.length > 0 ? row : el("p", { class: "soft" }, "(nothing)"),
      el("p", { class: "soft" }, note),
    );
  }
}

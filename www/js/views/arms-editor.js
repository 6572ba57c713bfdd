/** The list of arms as cards: what each trains, how fast, what holds it near the base; add, duplicate, remove, mute. */
import { MOST_ARMS } from "../contract/data.js";
import { added, duplicated, fieldsOf, labelError, removed, replaced, withMethod, withStart } from "../state/arms.js";
import { withValue } from "../state/settings.js";
import { armClass, armLine } from "../ui/arm-style.js";
import { el, find, findAll, setText, update } from "../ui/dom.js";
import { swatch } from "../ui/swatch.js";
import { t } from "../ui/text.js";
import { makeField } from "./field.js";

/**
 * @typedef {import("../contract/types.js").ArmSpec} ArmSpec
 * @typedef {import("./settings-form.js").SettingsForm} SettingsForm
 */

const METHODS = [
  { kind: /** @type {const} */ ("lora"), label: "LoRA" },
  { kind: /** @type {const} */ ("full"), label: t("arms-editor.full-tuning") },
];

/** What an adapter decides for the arms that start from it. */
const SHAPE = ["method.rank", "method.alpha", "method.targets", "method.rslora", "method.dora"];

export class ArmsEditor {
  constructor(/** @type {SettingsForm} */ form) {
    this.form = form;
    this.host = find("#arms-list");
    /** What the cards were made for. */
    this.key = "";
    /** @type {Map<string, () => void>} */
    this.writers = new Map();
    for (const { kind, label } of METHODS) {
      const add = el("button", { type: "button", "data-add-arm": kind }, t("arms-editor.add", { method: label }));
      add.addEventListener("click", () => this.change(added(this.arms, kind)));
      find("#arms-add").append(add);
    }
  }

  /** @private */
  get arms() {
    return this.form.settings.arms;
  }

  /** @private */
  change(/** @type {ArmSpec[]} */ arms, focus = "") {
    this.form.setArms(arms);
    if (focus !== "") find(focus, this.host).focus();
  }

  /** Shows the form's arms: cards are made anew only where the list or a method is another. */
  write() {
    const key = JSON.stringify(this.arms.map((arm) => [arm.id, arm.method.kind]));
    if (key !== this.key) {
      this.key = key;
      this.writers.clear();
      const details = [...this.host.querySelectorAll("details[open]")];
      const open = new Set(details.map((d) => d.closest("li")?.dataset.armCard));
      this.host.replaceChildren(...this.arms.map((arm, place) => this.card(arm, place, open.has(arm.id))));
    }
    for (const writeCard of this.writers.values()) writeCard();
    const isFull = this.arms.length >= MOST_ARMS;
    for (const add of find("#arms-add").children) update(add, { disabled: isFull });
    setText(find("#arms-note"), isFull ? t("arms-editor.most", { n: MOST_ARMS }) : "");
  }

  /** @private */
  card(/** @type {ArmSpec} */ { id, label, method }, /** @type {number} */ place, /** @type {boolean} */ isOpen) {
    const arm = () => this.arms.find((candidate) => candidate.id === id);
    const fields = fieldsOf(method.kind).map((field) => ({
      field,
      ...makeField(field, {
        id: `arm-${id}-${field.key}`,
        name: field.key,
        adapters: () => this.form.adapters.map((adapter) => adapter.name),
        onChange: (value) => {
          const current = arm();
          if (current) this.change(replaced(this.arms, this.changed(current, field, value)));
        },
      }),
    }));
    const part = (/** @type {boolean} */ isMain) =>
      fields.filter(({ field }) => field.is_main === isMain).map((f) => f.row);
    const name = this.nameField(id, label);
    const buttons = this.buttons(id);
    this.writers.set(id, () => {
      const current = arm();
      if (!current) return;
      const isGiven = current.method.kind === "lora" && current.method.start !== "";
      for (const { field, row, write } of fields) {
        write(current, field);
        if (!SHAPE.includes(field.name)) continue;
        for (const control of findAll("input, select", row)) update(control, { disabled: isGiven });
      }
      name.write(current);
      buttons.write();
    });
    return el(
      "li",
      { class: `card arm-card ${armClass(place)}`, "data-arm-card": id },
      el("div", { class: "arm-head" }, swatch(armLine(place, "")), name.row, this.methodField(id, method.kind)),
      el("div", { class: "fields" }, part(true)),
      el(
        "details",
        { open: isOpen },
        el("summary", {}, t("arms-editor.more")),
        el("div", { class: "fields" }, part(false)),
      ),
      buttons.row,
    );
  }

  /** An arm with another value in a field; an adapter that it starts from brings its shape along. @private */
  changed(
    /** @type {ArmSpec} */ arm,
    /** @type {import("../contract/types.js").FieldData} */ field,
    /** @type {unknown} */ value,
  ) {
    if (field.kind !== "adapter") return withValue(arm, field, value);
    return withStart(arm, this.form.adapters.find((adapter) => adapter.name === value)?.spec ?? null);
  }

  /** @private */
  nameField(/** @type {string} */ id, /** @type {string} */ label) {
    const hint = el("p", { class: "hint", id: `arm-${id}-name-hint`, role: "status" });
    const input = /** @type {HTMLInputElement} */ (
      el("input", {
        type: "text",
        "data-arm-name": id,
        value: label,
        "aria-label": t("arms-editor.name"),
        "aria-describedby": hint.id,
      })
    );
    input.addEventListener("change", () => {
      const current = this.arms.find((arm) => arm.id === id);
      if (!current) return;
      const text = input.value.trim();
      const error = labelError(text, current, this.arms);
      setText(hint, error);
      input.setAttribute("aria-invalid", String(error !== ""));
      if (error === "") this.change(replaced(this.arms, { ...current, label: text }));
    });
    const write = (/** @type {ArmSpec} */ arm) => {
      if (input.getAttribute("aria-invalid") !== "true") update(input, { value: arm.label });
    };
    return { row: el("div", { class: "arm-name" }, input, hint), write };
  }

  /** @private */
  methodField(/** @type {string} */ id, /** @type {string} */ kind) {
    const options = METHODS.map((m) => el("option", { value: m.kind, selected: m.kind === kind }, m.label));
    const select = /** @type {HTMLSelectElement} */ (
      el("select", { "aria-label": t("arms-editor.method"), "data-arm-method": id }, options)
    );
    select.addEventListener("change", () => {
      const current = this.arms.find((arm) => arm.id === id);
      if (!current) return;
      const chosen = /** @type {"lora" | "full"} */ (select.value);
      this.change(replaced(this.arms, withMethod(current, chosen)), `[data-arm-method="${id}"]`);
    });
    return select;
  }

  /** @private */
  buttons(/** @type {string} */ id) {
    const make = (/** @type {string} */ name, /** @type {string} */ text, /** @type {() => void} */ onclick) =>
      el("button", { type: "button", class: "quiet", [`data-${name}-arm`]: id, onclick }, text);
    const mute = make("mute", t("arms-editor.mute"), () => this.form.toggleMuted(id));
    const copy = make("duplicate", t("arms-editor.duplicate"), () => this.change(duplicated(this.arms, id)));
    const remove = make("remove", t("arms-editor.remove"), () => this.change(removed(this.arms, id)));
    const write = () => {
      const isMuted = this.form.muted.includes(id);
      setText(mute, isMuted ? t("arms-editor.unmute") : t("arms-editor.mute"));
      mute.setAttribute("aria-pressed", String(isMuted));
      find(`[data-arm-card="${id}"]`, this.host).classList.toggle("is-muted", isMuted);
      update(copy, { disabled: this.arms.length >= MOST_ARMS });
      update(remove, { disabled: this.arms.length < 2 });
    };
    return { row: el("p", { class: "arm-buttons" }, copy, remove, mute), write };
  }
}

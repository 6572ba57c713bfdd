/** The settings as a form. What differs from the running run is marked "applies on restart". */
import { el, find, findAll, setText, update } from "./dom.js";
import { CHOICES, FIELDS, SWITCHES, TARGETS, clamp, defaults, differences } from "./settings.js";

export class SettingsForm {
  /**
   * @param {import("./settings.js").Settings} settings at the start
   * @param {() => void} onChange
   */
  constructor(settings, onChange) {
    this.settings = settings;
    this.onChange = onChange;
    /** @type {Map<string, HTMLElement>} */
    this.rows = new Map();
    const main = find("#settings-main");
    const more = find("#settings-more");
    for (const field of FIELDS) (field.isMain ? main : more).append(this.numberRow(field));
    for (const choice of CHOICES) more.append(this.choiceRow(choice));
    for (const choice of SWITCHES) more.append(this.switchRow(choice));
    find("#settings-targets").append(this.targetsRow());
    find("#settings-default").addEventListener("click", () => this.set({ ...defaults(), arms: this.settings.arms }));
    this.write();
  }

  /** Shows other settings. */
  set(settings) {
    this.settings = settings;
    this.write();
    this.onChange();
  }

  /** @private */
  change(name, value) {
    this.settings = { ...this.settings, [name]: value };
    this.onChange();
  }

  /** @private */
  numberRow(field) {
    const id = `set-${field.name}`;
    const input = el("input", {
      id,
      type: "text",
      inputmode: field.kind === "whole" ? "numeric" : "decimal",
      autocomplete: "off",
      spellcheck: "false",
      "data-setting": field.name,
      "aria-describedby": `${id}-hint`,
      onchange: () => this.readNumber(field, input),
    });
    return this.row(field.name, el("label", { for: id }, field.label), input, `${id}-hint`, field.hint);
  }

  /** @private */
  readNumber(field, input) {
    const value = clamp(field, input.value);
    const wanted = Number(input.value);
    const hint = find(".hint", this.rows.get(field.name));
    const isBounded = value !== null && value !== wanted;
    setText(
      hint,
      value === null
        ? "This is not a number."
        : isBounded
          ? `From ${field.low} to ${field.high}${field.kind === "whole" ? ", whole" : ""}.`
          : field.hint,
    );
    input.setAttribute("aria-invalid", String(value === null));
    if (value === null) return;
    input.value = String(value);
    this.change(field.name, value);
  }

  /** @private */
  choiceRow({ name, label, hint, options }) {
    const id = `set-${name}`;
    const select = el(
      "select",
      {
        id,
        "data-setting": name,
        "aria-describedby": `${id}-hint`,
        onchange: () => this.change(name, select.value),
      },
      options.map((option) => el("option", { value: option }, option)),
    );
    return this.row(name, el("label", { for: id }, label), select, `${id}-hint`, hint);
  }

  /** @private */
  switchRow({ name, label, hint }) {
    const id = `set-${name}`;
    const box = el("input", {
      id,
      type: "checkbox",
      "data-setting": name,
      "aria-describedby": `${id}-hint`,
      onchange: () => this.change(name, box.checked),
    });
    return this.row(name, el("label", { for: id }, label), box, `${id}-hint`, hint);
  }

  /** @private */
  targetsRow() {
    const boxes = TARGETS.map((name) =>
      el(
        "label",
        { class: "box" },
        el("input", { type: "checkbox", value: name, "data-setting": "targets", onchange: () => this.readTargets() }),
        name,
      ),
    );
    const row = el(
      "fieldset",
      { class: "targets" },
      el("legend", {}, "Matrices that LoRA adapts"),
      boxes,
      el("p", { class: "hint" }),
      this.restartNote(),
    );
    this.rows.set("targets", row);
    return row;
  }

  /** @private */
  readTargets() {
    const row = this.rows.get("targets");
    const chosen = findAll("input:checked", row).map((box) => box.value);
    setText(find(".hint", row), chosen.length === 0 ? "At least one is needed; the last choice stays in use." : "");
    if (chosen.length > 0) this.change("targets", chosen);
  }

  /** @private */
  row(name, label, control, hintId, hint) {
    const row = el(
      "div",
      { class: "field" },
      label,
      control,
      el("p", { class: "hint", id: hintId }, hint),
      this.restartNote(),
    );
    this.rows.set(name, row);
    return row;
  }

  /** @private */
  restartNote() {
    return el("p", { class: "restart", hidden: true }, "applies on restart");
  }

  /** @private */
  write() {
    for (const { name } of FIELDS) find("input", this.rows.get(name)).value = String(this.settings[name]);
    for (const { name } of CHOICES) find("select", this.rows.get(name)).value = this.settings[name];
    for (const { name } of SWITCHES) find("input", this.rows.get(name)).checked = this.settings[name];
    for (const box of findAll("input", this.rows.get("targets")))
      box.checked = this.settings.targets.includes(box.value);
  }

  /** Marks the fields that differ from `running`, the settings of the run that trains; null when none does. */
  mark(running) {
    const changed = running ? differences(this.settings, running) : [];
    for (const [name, row] of this.rows) update(find(".restart", row), { hidden: !changed.includes(name) });
    return changed;
  }
}

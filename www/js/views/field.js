/** One choice of a run or of an arm as a labelled control with its hint, as the contract describes it. */
import { readField, valueOf } from "../state/settings.js";
import { el, findAll, setText, update } from "../ui/dom.js";
import { t, textOr } from "../ui/text.js";

/** @typedef {import("../contract/types.js").FieldData} Field */

const labelOf = (/** @type {Field} */ { name, label }) => textOr(`field.${name}.label`, label);
const helpOf = (/** @type {Field} */ { name, help }) => textOr(`field.${name}.help`, help);
const optionOf = (/** @type {Field} */ { name }, /** @type {string} */ option) => textOr(`field.${name}.${option}`, option);

/**
 * @param {Field} field
 * @param {{id: string, name: string, onChange: (value: unknown) => void, adapters?: () => string[]}} options  `name`: of
 *   its `data-setting`; `adapters`: names of those that are held
 * @returns {{row: HTMLElement, write: (owner: unknown, field: Field) => void}} `write` shows what an owner has
 */
export function makeField(field, { id, name, onChange, adapters = () => [] }) {
  const hintId = `${id}-hint`;
  const hint = el("p", { class: "hint", id: hintId }, helpOf(field));
  const common = { id, "data-setting": name, "aria-describedby": hintId };
  const take = (/** @type {string} */ text, /** @type {HTMLElement} */ control) => {
    const value = readField(field, text);
    setText(hint, value === null ? complaint(field) : bounded(field, text, value));
    control.setAttribute("aria-invalid", String(value === null));
    if (value !== null) onChange(value);
    return value;
  };
  if (field.kind === "several") return severalField(field, common, hint, take);
  const control = /** @type {any} */ (makeControl(field, common));
  control.addEventListener("change", () => {
    const isSwitch = field.kind === "switch";
    const value = take(isSwitch ? String(control.checked) : control.value, control);
    if (value !== null && !isSwitch) control.value = String(value);
  });
  const row = el("div", { class: "field" }, el("label", { for: id }, labelOf(field)), control, hint, restartNote());
  const write = (/** @type {unknown} */ owner) => {
    const value = valueOf(owner, field);
    if (field.kind === "adapter") {
      fillAdapters(control, adapters(), String(value));
      update(row, { hidden: control.options.length < 2 });
    }
    if (field.kind === "switch") update(control, { checked: value });
    else if (control.getAttribute("aria-invalid") !== "true") update(control, { value: String(value) });
  };
  return { row, write };
}

function makeControl(/** @type {Field} */ field, /** @type {Record<string, string>} */ common) {
  if (field.kind === "switch") return el("input", { ...common, type: "checkbox" });
  if (field.kind === "choice") {
    return el("select", common, (field.options ?? []).map((option) => el("option", { value: option }, optionOf(field, option))));
  }
  if (field.kind === "adapter") return el("select", common);
  const inputmode = field.kind === "whole" ? "numeric" : "decimal";
  return el("input", { ...common, type: "text", inputmode, autocomplete: "off", spellcheck: "false" });
}

/** The adapters that an arm can start from; one that is not here stays to be seen. */
function fillAdapters(/** @type {HTMLSelectElement} */ select, /** @type {string[]} */ held, /** @type {string} */ chosen) {
  const names = held.includes(chosen) || chosen === "" ? held : [...held, chosen];
  const label = (/** @type {string} */ name) => (held.includes(name) ? name : t("field.not-here", { name }));
  const key = names.map(label).join();
  if (select.options.length > 0 && select.dataset.names === key) return;
  select.dataset.names = key;
  select.replaceChildren(
    el("option", { value: "" }, t("field.fresh-adapter")),
    ...names.map((name) => el("option", { value: name }, label(name))),
  );
}

/** Boxes for some of the options. */
function severalField(
  /** @type {Field} */ field,
  /** @type {Record<string, string>} */ common,
  /** @type {HTMLElement} */ hint,
  /** @type {(text: string, control: HTMLElement) => unknown} */ take,
) {
  const boxes = (field.options ?? []).map((option) =>
    el(
      "label",
      { class: "box" },
      el("input", { type: "checkbox", value: option, "data-setting": common["data-setting"] }),
      optionOf(field, option),
    ),
  );
  const row = el("fieldset", { class: "targets" }, el("legend", {}, labelOf(field)), boxes, hint, restartNote());
  const chosen = () => findAll("input:checked", row).map((box) => box.value);
  for (const box of findAll("input", row)) box.addEventListener("change", () => take(chosen().join(), row));
  const write = (/** @type {unknown} */ owner) => {
    if (chosen().length === 0) return; // the last choice stays in use until there is another
    const names = /** @type {string[]} */ (valueOf(owner, field));
    for (const box of findAll("input", row)) update(box, { checked: names.includes(box.value) });
  };
  for (const box of findAll("input", row)) box.checked = true;
  return { row, write };
}

function complaint(/** @type {Field} */ field) {
  return field.kind === "several" ? t("field.none-chosen") : t("field.no-number");
}

/** The help, or the range where the value was outside it. */
function bounded(/** @type {Field} */ field, /** @type {string} */ text, /** @type {unknown} */ value) {
  const isNumber = field.kind === "whole" || field.kind === "real";
  if (!isNumber || value === Number(text)) return helpOf(field);
  const range = { low: String(field.low), high: String(field.high) };
  return field.kind === "whole" ? t("field.range-whole", range) : t("field.range", range);
}

const restartNote = () => el("p", { class: "restart", hidden: true }, t("field.restart"));

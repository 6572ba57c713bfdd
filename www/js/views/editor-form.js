/** A row as fields to write in. */
import { RowError } from "../state/fields.js";
import { el, find, findAll, setText } from "../ui/dom.js";
import { t } from "../ui/text.js";

/**
 * @typedef {{label: string, text: string, isLine?: boolean, hint?: string}} Field  `isLine`: its text is a line, not a
 *   paragraph; `hint`: what stands in an empty line
 */

/**
 * @param {string} name of the row, for those who do not see the table
 * @param {Field[]} fields
 * @param {{save: (texts: string[]) => void, cancel: () => void}} actions  `save` throws a {@link RowError} for texts that make
 *   no row
 */
export function makeRowForm(name, fields, { save, cancel }) {
  const error = el("p", { class: "error", role: "alert" });
  const submit = () => {
    try {
      save(findAll("textarea, input", form).map((area) => area.value));
    } catch (problem) {
      if (!(problem instanceof RowError)) throw problem;
      const { field, message: reason } = problem;
      setText(error, field === "" ? t("editor-form.wrong-row", { reason }) : t("editor-form.wrong-field", { field, reason }));
    }
  };
  const form = el(
    "form",
    {
      class: "row-form",
      "aria-label": name,
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        submit();
      },
      onkeydown: (/** @type {KeyboardEvent} */ event) => {
        if (event.key === "Escape") cancel();
        else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit();
        else return;
        event.preventDefault();
      },
    },
    ...fields.map(({ label, text, isLine, hint }) => {
      const area = isLine
        ? el("input", { autocomplete: "off", spellcheck: "false", placeholder: hint })
        : el("textarea", { rows: 3, spellcheck: "false" });
      area.value = text;
      return el("label", {}, label, area);
    }),
    error,
    el(
      "p",
      { class: "buttons" },
      el("button", { class: "primary" }, t("editor-form.keep")),
      el("button", { type: "button", onclick: cancel }, t("editor-form.cancel")),
    ),
  );
  return { form, focus: () => find("textarea, input", form).focus() };
}

/** Everything beside the stage lies in drawers, one open at a time; the dock has a button for each. */
import { el, find } from "../ui/dom.js";
import { invalidate } from "../ui/frame.js";
import { t } from "../ui/text.js";

/** By the section's id, what its button says. */
const DRAWERS = /** @type {const} */ ({
  setup: t("drawers.setup"),
  data: t("drawers.data"),
  models: t("drawers.models"),
  findings: t("drawers.findings"),
  weights: t("drawers.weights"),
  machine: t("drawers.machine"),
  tools: t("drawers.tools"),
  about: t("drawers.about"),
});

/** @typedef {keyof typeof DRAWERS} Drawer */

export class Drawers {
  constructor() {
    /** @type {Drawer | ""} */
    this.open = "";
    /** What had the keyboard before. @type {HTMLElement | null} */
    this.opener = null;
    this.buttons = /** @type {Drawer[]} */ (Object.keys(DRAWERS)).map((name) =>
      el("button", { type: "button", "data-open": name, "aria-controls": name, "aria-expanded": "false" }, DRAWERS[name]),
    );
    find("#dock").append(...this.buttons);
    document.addEventListener("click", ({ target }) => {
      const button = target instanceof Element ? target.closest("[data-open], [data-close]") : null;
      if (!(button instanceof HTMLElement)) return;
      const name = /** @type {Drawer} */ (button.dataset.open ?? "");
      const isOfDock = this.buttons.includes(/** @type {any} */ (button));
      this.show(isOfDock && name === this.open ? "" : name, button);
    });
    document.addEventListener("keydown", (event) => {
      const isTaken = event.defaultPrevented || document.querySelector("dialog[open]");
      if (event.key === "Escape" && this.open !== "" && !isTaken) this.show("");
    });
  }

  /** Opens a drawer in the place of the one that is open; "" closes it, and the keyboard goes back to where it was. */
  show(/** @type {Drawer | ""} */ name, /** @type {HTMLElement | null} */ opener = null) {
    if (name !== "" && !Object.hasOwn(DRAWERS, name)) return; // a lesson names one that is not there
    const before = this.open;
    this.open = name;
    for (const id of Object.keys(DRAWERS)) find(`#${id}`).hidden = id !== name;
    for (const button of this.buttons) button.setAttribute("aria-expanded", String(button.dataset.open === name));
    if (name === "") delete document.body.dataset.drawer;
    else document.body.dataset.drawer = name;
    invalidate();
    if (name === "") {
      const back = this.opener?.isConnected ? this.opener : null;
      if (before !== "") (back ?? find(`#dock [data-open="${before}"]`)).focus();
      this.opener = null;
      return;
    }
    if (!opener?.closest(".drawer")) this.opener = opener ?? this.opener;
    find(`#${name}`).scrollTop = 0;
    find(`#${name}-title`).focus({ preventScroll: true });
  }

  /** Leaves out the buttons of drawers that a link leaves out. */
  leaveOut(/** @type {string[]} */ names) {
    for (const button of this.buttons) button.classList.toggle("left-out", names.includes(button.dataset.open ?? ""));
    if (names.includes(this.open)) this.show("");
  }
}

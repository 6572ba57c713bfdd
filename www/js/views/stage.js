/** The stage: which chart is shown, what is answered, and which panel is in sight where there is room for one alone. */
import { el, find, findAll, update } from "../ui/dom.js";
import { invalidate } from "../ui/frame.js";

/** The panels' sections, in their order. */
const PANELS = /** @type {const} */ ({ learned: "figures", known: "walls", said: "shift" });
const ANSWERS = /** @type {const} */ (["question", "fact", "ask"]);

/** @typedef {{panel: keyof typeof PANELS, figure: string, said: typeof ANSWERS[number]}} Shown */

export class Stage {
  constructor() {
    this.panels = find("#panels");
    this.charts = findAll("#figures-body > [data-figure]");
    this.choice = find("#figure-choice");
    this.choice.append(
      ...this.charts.map((figure) => el("option", { value: figure.dataset.figure }, find("h3", figure).textContent)),
    );
    this.choice.addEventListener("change", () => this.show({ figure: this.choice.value }));
    for (const input of findAll('[name="said"]')) {
      input.addEventListener("change", () => this.show({ said: input.value }));
    }
    this.tabs = /** @type {(keyof typeof PANELS)[]} */ (Object.keys(PANELS)).map((panel) => {
      const title = find(`#${PANELS[panel]}-title`).textContent;
      return el("button", { type: "button", "data-tab": panel, onclick: () => this.show({ panel }) }, title);
    });
    find("#stage-tabs").append(...this.tabs);
    /** @type {Shown} */
    this.shown = { panel: "learned", figure: "recall", said: "question" };
    this.draw();
  }

  /** The names of the charts. */
  get figures() {
    return this.charts.map((figure) => /** @type {string} */ (figure.dataset.figure));
  }

  /** Shows other parts. Where one panel is in sight at a time, it becomes the one that holds what was asked for. */
  show(/** @type {Partial<Shown>} */ wanted) {
    const panel = wanted.panel ?? (wanted.said ? "said" : wanted.figure ? "learned" : this.shown.panel);
    this.shown = { ...this.shown, ...wanted, panel };
    this.draw();
    invalidate();
  }

  /** @private */
  draw() {
    const { panel, figure, said } = this.shown;
    update(this.panels.dataset, { panel });
    for (const tab of this.tabs) tab.setAttribute("aria-pressed", String(tab.dataset.tab === panel));
    for (const chart of this.charts) chart.classList.toggle("is-chosen", chart.dataset.figure === figure);
    update(this.choice, { value: figure });
    for (const name of ANSWERS) {
      update(find(name === "ask" ? "#ask" : `#said-${name}`), { hidden: name !== said });
      update(find(`[name="said"][value="${name}"]`), { checked: name === said });
    }
  }
}

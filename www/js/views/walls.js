/** A knowledge wall for each arm, and the fact that is chosen on all of them. */
import { mostWrong } from "../state/cursor.js";
import { say } from "../ui/alerts.js";
import { el, find, setText } from "../ui/dom.js";
import { drawFact } from "./fact-panel.js";
import { NOT_MEASURED, count, words } from "../ui/format.js";
import { addView, invalidate, makeDifference } from "../ui/frame.js";
import { makeSlots } from "../ui/slots.js";
import { t } from "../ui/text.js";
import { onThemeChange } from "../ui/theme.js";
import { STATES, cellAt, countStates, layOut, neighbour, stateOf } from "./wall-layout.js";
import { drawCells, drawRows, drawState, prepare } from "./wall-draw.js";

/**
 * @typedef {import("../state/store.js").Run} Run
 * @typedef {import("./wall-layout.js").Layout} Layout
 */

/** Pixels from which two walls lie beside each other. */
const WIDE = 560;
/** More walls than these lie in two columns. */
const MANY = 3;
const KEYS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"];

export class Walls {
  /**
   * @param {import("../state/store.js").Store} store
   * @param {() => {question: string, answer: string}[] | null} instructionRows rows of the shown run's set, if known
   * @param {import("./fact-panel.js").Acts} acts
   * @param {() => void} chosen called when a visitor chooses a fact
   */
  constructor(store, instructionRows, acts, chosen) {
    this.store = store;
    this.instructionRows = instructionRows;
    this.acts = acts;
    this.onChoice = chosen;
    /** Fact chosen by a click or a key, and the one under the pointer. */
    this.chosen = -1;
    this.hovered = -1;
    /** The run whose facts these are. @type {Run | null} */
    this.run = null;
    this.section = find("#walls");
    this.walls = find(".walls", this.section);
    /** By place. @type {Map<number, Layout>} */
    this.layouts = new Map();
    /**
     * What is on each canvas, by place.
     * @type {Map<number, {ground: unknown[], wall: import("./wall-draw.js").Wall}>}
     */
    this.painted = new Map();
    this.slots = makeSlots("[data-wall-of]", this.section);
    this.canvases = this.slots.map((slot) => find("canvas", slot));
    this.areNewWords = makeDifference();
    this.keySwatches = this.makeKey();
    this.keyRatio = 0;
    find("#most-wrong").addEventListener("click", () => this.showMostWrong());
    onThemeChange(() => {
      this.painted.clear();
      this.keyRatio = 0;
    });
    addView(
      this.section,
      () => this.drawKey(),
      () => this.write(),
    );
    this.canvases.forEach((canvas, place) => {
      this.listen(canvas, place);
      addView(this.slots[place], () => this.drawWall(canvas, place));
    });
    new ResizeObserver(() => this.changed()).observe(this.section);
  }

  /** @private */
  changed() {
    for (const view of [this.section, ...this.slots]) invalidate(view);
  }

  get fact() {
    return this.hovered >= 0 ? this.hovered : this.chosen;
  }

  /** @private */
  listen(/** @type {HTMLCanvasElement} */ canvas, /** @type {number} */ place) {
    const factAt = (/** @type {MouseEvent} */ event) => {
      const layout = this.layouts.get(place);
      const index = layout ? cellAt(layout, event.offsetX - 2, event.offsetY - 2) : -1;
      return layout?.cells[index]?.fact ?? -1;
    };
    canvas.addEventListener("pointermove", (event) => event.pointerType === "mouse" && this.hover(factAt(event)));
    canvas.addEventListener("pointerleave", () => this.hover(-1));
    canvas.addEventListener("click", (event) => this.pick(factAt(event)));
    canvas.addEventListener("focus", () => {
      if (!this.layouts.has(place)) this.drawWall(canvas, place); // a key may come here before the wall was in sight
      if (this.chosen < 0) this.choose(this.layouts.get(place)?.cells[0]?.fact ?? -1);
    });
    canvas.addEventListener("keydown", (event) => {
      const layout = this.layouts.get(place);
      if (!layout || !KEYS.includes(event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      const from = layout.cells.findIndex((cell) => cell.fact === this.chosen);
      this.pick(layout.cells[neighbour(layout, Math.max(0, from), event.key)].fact);
    });
  }

  /** @private */
  hover(/** @type {number} */ fact) {
    if (fact === this.hovered) return;
    this.hovered = fact;
    this.changed();
  }

  /** A visitor chooses a fact. @private */
  pick(/** @type {number} */ fact) {
    this.choose(fact);
    if (fact >= 0) this.onChoice();
  }

  /** @private */
  showMostWrong() {
    const wrong = mostWrong(this.store);
    if (!wrong) return say(t("walls.none-wrong"));
    this.choose(wrong.cell);
    const { subject, relation } = this.store.run?.facts[wrong.cell] ?? { subject: "", relation: "" };
    say(t("walls.most-wrong", { arm: this.store.label(wrong.arm), subject, relation: words(relation) }));
  }

  choose(/** @type {number} */ fact) {
    this.run = this.store.run; // a fact of this run, should it not have been drawn yet
    this.chosen = fact;
    this.hovered = -1;
    this.changed();
  }

  /** @private */
  makeKey() {
    const swatches = STATES.map((state) => {
      const image = el("img", { class: "key-cell", alt: "" });
      find("#wall-key").append(el("li", { title: state.help }, image, state.label));
      const other = image.cloneNode();
      find("#wall-states").append(el("li", {}, other, el("b", {}, state.label), ` ${state.help}`));
      return { images: [image, /** @type {HTMLImageElement} */ (other)], state };
    });
    return swatches;
  }

  /** The words: counts, labels, the caption and the chosen fact. @private */
  write() {
    const { run } = this.store;
    if (!run) return;
    if (this.run !== run) this.chosen = this.hovered = -1;
    this.run = run;
    const measures = this.store.armNames.map((arm) => this.store.dosed(arm));
    const rows = this.instructionRows();
    if (!this.areNewWords(run, this.fact, this.store.measuredVersion, this.walls.clientWidth, rows, ...this.acts.key(), ...measures)) return;
    this.canvases.forEach((canvas, place) => this.writeCounts(canvas, place, run));
    this.arrange();
    this.writeCaption();
    this.writeBrief(run);
    drawFact(find("#fact"), this.store, this.fact, rows, this.acts);
  }

  /** @private */
  writeCounts(
    /** @type {HTMLCanvasElement} */ canvas,
    /** @type {number} */ place,
    /** @type {Run} */ run,
  ) {
    const host = this.slots[place];
    const arm = this.store.armAt(place);
    const measure = arm === null ? null : this.store.dosed(arm);
    host.hidden = !measure;
    if (arm === null || !measure) return;
    const label = this.store.dosedLabel(arm);
    setText(find("h3", host), label);
    canvas.dataset.wall = host.dataset.wallOf = find(".wall-counts", host).dataset.wallCounts = arm;
    const counts = countStates(measure.cells);
    const legend = STATES.map(({ letter, label }) => t("walls.count", { n: counts[letter], state: label })).join(", ");
    // Many walls leave room for one figure; their labels and the counts of the answers say the others.
    const isShort = this.store.armNames.length > MANY;
    setText(find(".wall-counts", host), isShort ? t("walls.right", { n: counts.k + counts.w }) : legend);
    canvas.dataset.counts = STATES.map((state) => `${state.letter}${counts[state.letter]}`).join(" ");
    const spoken = this.fact < 0 ? "" : ` ${run.facts[this.fact].subject}: ${stateOf(measure.cells[this.fact]).label}.`;
    const whole = t("walls.spoken", { arm: label, n: String(measure.step), counts: legend });
    canvas.setAttribute("aria-label", `${whole}${spoken}`);
  }

  /** Draws images: for each canvas on the page, a browser keeps layers for it and for the text after it. @private */
  drawKey() {
    if (this.keyRatio === devicePixelRatio) return;
    this.keyRatio = devicePixelRatio;
    const canvas = el("canvas");
    for (const { images, state } of this.keySwatches) {
      drawState(prepare(canvas, 15, 15), state.letter, 0, 0, 15);
      for (const image of images) image.src = canvas.toDataURL();
    }
  }

  /** The cells of one wall: all of them when what lies below them changes. @private */
  drawWall(/** @type {HTMLCanvasElement} */ canvas, /** @type {number} */ place) {
    const { run } = this.store;
    const arm = this.store.armAt(place);
    const measure = arm === null ? null : this.store.dosed(arm);
    if (!run || arm === null || !measure) return;
    const room = canvas.parentElement;
    const [width, height] = [Math.max(140, room?.clientWidth ?? 0), room?.clientHeight || Infinity];
    const before = measure.step > 0 ? (this.store.measure(arm, measure.step - 1)?.cells ?? null) : null;
    const wall = { facts: run.facts, letters: measure.cells, before, chosen: this.fact };
    const ground = [run, width, height, devicePixelRatio];
    const last = this.painted.get(place);
    const painted = last && ground.every((part, i) => part === last.ground[i]) ? last.wall : null;
    const known = painted ? this.layouts.get(place) : undefined;
    const layout = known ?? layOut(run.facts, width - 4, height - 4);
    if (!known) {
      this.layouts.set(place, layout);
      drawRows(canvas, width, layout);
    }
    this.painted.set(place, { ground, wall });
    drawCells(canvas, layout, wall, known ? painted : null);
  }

  /** Two walls beside each other where there are many, or the panel is wide. @private */
  arrange() {
    const arms = this.slots.filter((slot) => !slot.hidden).length;
    const across = arms > MANY || (arms > 1 && this.walls.clientWidth > WIDE) ? 2 : 1;
    this.walls.style.setProperty("--across", String(across));
  }

  /** The fact in one line below the walls. @private */
  writeBrief(/** @type {Run} */ run) {
    const fact = run.facts[this.fact];
    const states = this.store.armNames.map((arm) => {
      const letters = this.store.dosed(arm)?.cells;
      return `${this.store.label(arm)} ${letters ? stateOf(letters[this.fact]).label : "–"}`;
    });
    const text = fact ? `${fact.subject}, ${words(fact.relation)}: ${fact.object}. ${states.join(", ")}.` : "";
    setText(find("#fact-brief"), text || t("walls.no-fact"));
  }

  /** @private */
  writeCaption() {
    const { store } = this;
    const write = (/** @type {string} */ arm) => {
      const errors = store.dosed(arm)?.errors;
      if (!errors) return `${store.label(arm)} –`;
      const wrong = errors.borrowed + errors.other + errors.malformed;
      const found = { arm: store.label(arm), wrong, all: errors.n, borrowed: errors.borrowed };
      if (wrong === 0) return t("walls.none-of-kept-wrong", found);
      return t("walls.kept-wrong", { ...found, chance: count(errors.borrowed_by_chance * wrong) });
    };
    const [known, all] = store.run?.known ?? [0, 0];
    const aside = all > 0 ? ` ${t("walls.set-aside", { known, all })}` : "";
    const arms = () => store.armNames.map(write).join(", ");
    const caption = () => `${t("walls.caption", { n: store.measuredStep, arms: arms() })}${aside}`;
    setText(find("#walls-caption"), store.isMeasured ? caption() : NOT_MEASURED);
  }
}

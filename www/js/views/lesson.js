/** The lesson: a step at a time, each with a picture of the stage, sentences made from figures, and something to do. */
import { request } from "../models/download.js";
import { RecordError } from "../state/check.js";
import { MISSING, factOf, inLanguage, parseLesson, withFigures } from "../state/lesson.js";
import { say, showError } from "../ui/alerts.js";
import { el, find, findAll, setText, update } from "../ui/dom.js";
import { addView } from "../ui/frame.js";
import { t } from "../ui/text.js";
import { stateOf } from "./wall-layout.js";

/**
 * @typedef {import("../contract/types.js").Lesson} LessonFile
 * @typedef {import("../contract/types.js").Scene} Scene
 * @typedef {import("../contract/types.js").LessonAction} LessonAction
 * @typedef {import("./drawers.js").Drawer} Drawer
 * @typedef {{store: import("../state/store.js").Store, control: import("../state/run-control.js").RunControl,
 *   stage: import("./stage.js").Stage, drawers: import("./drawers.js").Drawers,
 *   walls: import("./walls.js").Walls, open: (record: string) => Promise<void>, settings: (link: string) => void,
 *   changed: () => void}} Page  what a lesson acts on; `settings` takes those of a link; `changed`: another step is open
 */

const SHIPPED = /** @type {Record<string, string>} */ ({ forgetting: "lessons/forgetting.json", own: "lessons/own-model.json" });
const LARGEST = 1e6;

/** The address of a lesson: one that ships, a file beside the page, or one elsewhere that the visitor's link names. */
function addressOf(/** @type {string} */ wanted) {
  return new URL(SHIPPED[wanted] ?? wanted, document.baseURI);
}

async function fetchLesson(/** @type {string} */ wanted) {
  const response = await request(addressOf(wanted));
  if (!response.ok) throw new RecordError(t("lesson.server-answered", { status: String(response.status) }));
  const text = await response.text();
  if (text.length > LARGEST) throw new RecordError(t("lesson.too-large"));
  return parseLesson(text);
}

export class LessonView {
  /**
   * @param {Page} page
   * @param {number} step that a link names, from 1; 0 for none
   */
  constructor(page, step) {
    this.page = page;
    /** @type {LessonFile | null} */
    this.lesson = null;
    /** Which step is open, from 0. */
    this.at = Math.max(0, step - 1);
    /** Scenes that are being set; only the newest goes on. */
    this.scenes = 0;
    this.host = find("#lesson");
    this.body = find("#lesson-body");
    this.language = document.documentElement.lang || "en";
    find("#lesson-back").addEventListener("click", () => this.turnBy(-1));
    find("#lesson-next").addEventListener("click", () => this.turnBy(1));
    find("#lesson-again").addEventListener("click", () => this.set(this.step?.scene));
    find("#lesson-fold").addEventListener("click", () => this.fold(!this.host.classList.contains("is-folded")));
    addView(this.host, () => {}, () => this.writeFigures());
    // Explanations elsewhere act on the stage as steps do.
    for (const button of findAll("[data-scene]")) {
      button.addEventListener("click", () => {
        button.closest("dialog")?.close();
        this.set(JSON.parse(button.dataset.scene));
      });
    }
  }

  /** The step that a link names: none before the visitor has turned a page. */
  get place() {
    return this.at > 0 ? this.at + 1 : 0;
  }

  /**
   * Opens a lesson by its name or address, without one the first that ships; once the first run is shown, for its
   * sentences are made from that one's figures.
   * @returns {Promise<void>}
   */
  async load(/** @type {string | null} */ wanted, /** @type {Promise<void>} */ isShown) {
    try {
      this.lesson = await fetchLesson(wanted ?? "forgetting");
    } catch (error) {
      const { message } = /** @type {Error} */ (error);
      showError("lesson", wanted ? t("lesson.not-opened", { name: wanted, message }) : t("lesson.first-not-opened", { message }));
      if (wanted) return this.load(null, isShown);
      this.host.hidden = true;
      return;
    }
    await isShown;
    this.at = Math.min(this.at, this.lesson.steps.length - 1);
    this.write();
    if (wanted || this.at > 0) await this.set(this.step?.scene); // the page begins as the first step of the first lesson is
  }

  /** @private */
  get step() {
    return this.lesson?.steps[this.at] ?? null;
  }

  fold(/** @type {boolean} */ isFolded) {
    this.host.classList.toggle("is-folded", isFolded);
    const button = find("#lesson-fold");
    setText(button, isFolded ? t("lesson.unfold") : t("lesson.fold"));
    button.setAttribute("aria-expanded", String(!isFolded));
  }

  /** Opens the next step, or the one before. */
  async turnBy(/** @type {number} */ steps) {
    const turned = this.turn(this.at + steps);
    // The button that was pressed may have nothing left to do.
    if (document.activeElement instanceof HTMLButtonElement && document.activeElement.disabled) find("#lesson-title").focus();
    await turned;
  }

  /** Opens a step, from 0, and sets its scene. */
  async turn(/** @type {number} */ at) {
    if (!this.lesson || at < 0 || at >= this.lesson.steps.length) return;
    this.at = at;
    this.write();
    this.page.changed();
    await this.set(this.step?.scene);
    say(t("lesson.step", { n: at + 1, title: find("#lesson-title").textContent }));
  }

  /** What does not depend on the run that is shown. @private */
  write() {
    const { lesson, step } = this;
    if (!lesson || !step) return;
    const text = (/** @type {Record<string, string> | null | undefined} */ words) => inLanguage(words, this.language);
    setText(find("#lesson-name"), text(lesson.title));
    setText(find("#lesson-title"), text(step.title));
    find("#lesson-actions").replaceChildren(
      ...step.actions.map((action) =>
        el("button", { type: "button", "data-then": action.then ?? "", onclick: () => this.act(action) }, text(action.label)),
      ),
    );
    const question = find("#lesson-question");
    update(question, { hidden: !step.question, open: false });
    setText(find("summary", question), text(step.question?.ask));
    update(find("#predict"), { hidden: !step.guess });
    setText(find("#lesson-place"), t("lesson.place", { step: this.at + 1, steps: lesson.steps.length }));
    update(find("#lesson-back"), { disabled: this.at === 0 });
    update(find("#lesson-next"), { disabled: this.at === lesson.steps.length - 1 });
    this.body.scrollTop = 0;
    this.writeFigures();
  }

  /** The sentences and what can be done, which follow the run. @private */
  writeFigures() {
    const { step } = this;
    const write = (/** @type {string} */ selector, /** @type {Record<string, string> | null | undefined} */ words) => {
      const host = find(selector);
      update(host, { hidden: !words });
      setText(host, withFigures(inLanguage(words, this.language), this.page.store));
    };
    write("#lesson-text", step?.text);
    write("#lesson-claim", step?.claim);
    const claim = find("#lesson-claim");
    if (claim.textContent.includes(MISSING)) claim.hidden = true; // another run is shown, or nothing is measured yet
    const { source, summary } = this.page.store;
    const record = step?.scene?.record;
    const isElsewhere = Boolean(record) && (source.kind !== "recorded" || summary?.preset !== record);
    update(find("#lesson-again"), { hidden: !isElsewhere });
    write("#lesson-look", step?.look);
    write("#lesson-question p", step?.question?.answer);
    const isLive = this.page.control.mode === "live";
    for (const button of find("#lesson-actions").children) {
      const needsEngine = button.dataset.then === "train";
      const title = needsEngine && !isLive ? t("lesson.no-engine") : "";
      update(button, { disabled: needsEngine && !isLive, title });
    }
  }

  /** @private */
  async act(/** @type {LessonAction} */ { scene, settings, then }) {
    const { control } = this.page;
    if (settings) this.page.settings(settings);
    await this.set(scene);
    if (then === "play") {
      this.page.store.pin(0);
      control.playRecorded();
    } else if (then === "train") {
      control.reset();
      control.play();
    } else if (then === "pause") control.pause();
    else if (then === "step") control.step(1);
    else if (then === "reset") control.reset();
  }

  /** Sets the stage: the record first, which the rest refers to. @private */
  async set(/** @type {Scene | null | undefined} */ scene) {
    if (!scene) return;
    const { store, control, stage, drawers, walls } = this.page;
    const mine = ++this.scenes;
    try {
      if (scene.record) await this.page.open(scene.record);
    } catch (error) {
      const { message } = /** @type {Error} */ (error);
      showError("lesson", t("lesson.no-record", { record: scene.record ?? "", message }));
    }
    if (mine !== this.scenes) return;
    control.playback.pause();
    if (typeof scene.step === "number") store.pin(scene.step >= store.newest ? null : scene.step);
    if (scene.fact) walls.choose(factOf(scene.fact, store, (letter) => stateOf(letter).name));
    if (typeof scene.drawer === "string") drawers.show(/** @type {Drawer | ""} */ (scene.drawer));
    const { figure, said, panel } = scene;
    stage.show({
      ...(figure && stage.figures.includes(figure) ? { figure } : {}),
      ...(said ? { said } : {}),
      ...(panel ? { panel } : {}),
    });
  }
}

/** Pictures (PNG) of a chart, a panel or the stage, with a title and the settings that they were made with. */
import { writeArm } from "../state/arms.js";
import { say, showError } from "../ui/alerts.js";
import { download, find, findAll } from "../ui/dom.js";
import { count, modelName, rate } from "../ui/format.js";
import { invalidate } from "../ui/frame.js";
import { t } from "../ui/text.js";
import { color } from "../ui/theme.js";

/** @typedef {import("../state/store.js").Store} Store */

/** Pixels to a CSS pixel: sharp on a projector and in print. */
const SCALE = 2;
/** In how many all views have been drawn. */
const FRAMES = 12;
const MARGIN = 16;
const LINE = 18;
const FONT = "13px system-ui, sans-serif";
const TITLE_FONT = "600 17px system-ui, sans-serif";

/** What a picture is of, by what its button says: the stage, the chart that is shown there, a chart by its name, or a panel. */
function subjectOf(/** @type {string} */ name) {
  if (name === "stage") return { part: find("#panels"), title: "Driftscope", file: "stage" };
  const [part] = findAll(name === "figure" ? "#figures-body > .is-chosen" : `[data-figure="${name}"]`);
  if (part) return { part, title: find("h3, h4", part).textContent, file: part.dataset.figure };
  return { part: find(`#${name} .panel-body`), title: find(`#${name}-title`).textContent, file: name };
}

/** Listens to every button that saves a picture. */
export function makePictures(/** @type {Store} */ store, /** @type {import("./drawers.js").Drawers} */ drawers) {
  for (const button of findAll("[data-picture]")) {
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        if (button.dataset.picture === "stage") drawers.show(""); // which leaves it half its width
        const { part, title, file } = subjectOf(button.dataset.picture);
        const picture = await sharp(() => framed(part, title, settingsOf(store)));
        const blob = await new Promise((resolve) => picture.toBlob(resolve, "image/png"));
        if (!(blob instanceof Blob)) throw new Error(t("pictures.no-picture"));
        download(`driftscope-${file}-step${store.step}.png`, blob, "image/png");
        say(t("pictures.saved", { title }));
      } catch (error) {
        const { message } = /** @type {Error} */ (error);
        showError("picture", t("pictures.failed", { message }));
      }
      button.disabled = false;
    });
  }
}

/**
 * Makes a picture while walls and strips have as many pixels as it; uPlot's charts keep those of the screen.
 * @template T
 * @param {() => Promise<T>} make
 */
async function sharp(make) {
  const own = Object.getOwnPropertyDescriptor(window, "devicePixelRatio");
  const redraw = async () => {
    invalidate();
    for (let frame = 0; frame < FRAMES; frame += 1) await new Promise(requestAnimationFrame);
  };
  Object.defineProperty(window, "devicePixelRatio", { configurable: true, get: () => SCALE });
  try {
    await redraw();
    return await make();
  } finally {
    if (own) Object.defineProperty(window, "devicePixelRatio", own);
    await redraw();
  }
}

/** Where the figures come from, in lines. */
function settingsOf(/** @type {Store} */ store) {
  const { run, source } = store;
  if (!run) return [t("pictures.no-run")];
  const { settings } = run;
  const here = t("pictures.trained-here");
  const kinds = { none: "", recorded: t("pictures.recorded"), imported: t("pictures.imported"), live: here, kept: here };
  const arms = settings.arms.map((arm) => `${arm.label}: ${writeArm(arm, ["id", "label", "lr"])} lr=${rate(arm.lr)}`);
  return [
    t("pictures.settings", {
      model: modelName(run.model),
      step: count(store.step),
      steps: settings.steps,
      seed: String(settings.seed),
      batch: String(settings.batch),
      kind: kinds[source.kind],
      engine: source.engine,
    }),
    ...arms,
  ];
}

/** The part as it is on the page, with a title above and lines below. */
async function framed(/** @type {HTMLElement} */ part, /** @type {string} */ title, /** @type {string[]} */ lines) {
  const { domToCanvas } = await import("../../vendor/modern-screenshot/modern-screenshot.esm.js");
  // What folds up and what is pressed says nothing on paper; a chart's own title is the picture's.
  const leftOut = "details, .hidden, [hidden], .figure-head, button:not(.token)";
  const filter = (/** @type {Node} */ node) => !(node instanceof Element && node.matches(leftOut));
  // A copy has the options that the markup chooses.
  for (const option of findAll("option", part)) option.toggleAttribute("selected", option.selected);
  const style = { margin: "0" };
  const drawn = await domToCanvas(part, { scale: SCALE, backgroundColor: color("paper"), filter, style, font: false });
  const canvas = document.createElement("canvas");
  canvas.width = drawn.width + 2 * MARGIN * SCALE;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const width = drawn.width / SCALE;
  context.font = FONT;
  const below = lines.flatMap((line) => wrapped(context, line, width));
  const height = drawn.height / SCALE;
  canvas.height = (2 * MARGIN + 30 + height + 10 + below.length * LINE) * SCALE; // which clears it and its context
  context.scale(SCALE, SCALE);
  context.fillStyle = color("paper");
  context.fillRect(0, 0, width + 2 * MARGIN, canvas.height);
  context.textBaseline = "top";
  context.fillStyle = color("ink");
  context.font = TITLE_FONT;
  context.fillText(title, MARGIN, MARGIN);
  context.drawImage(drawn, MARGIN, MARGIN + 30, width, height);
  context.fillStyle = color("ink-soft");
  context.font = FONT;
  below.forEach((line, i) => context.fillText(line, MARGIN, MARGIN + 30 + height + 10 + i * LINE));
  return canvas;
}

/** A line in as many as it takes. */
function wrapped(/** @type {CanvasRenderingContext2D} */ context, /** @type {string} */ text, /** @type {number} */ width) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = `${lines[lines.length - 1]} ${word}`.trim();
    if (context.measureText(longer).width <= width || lines[lines.length - 1] === "") lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/** How an arm's answer to one question changes while it trains: a row for each measured step, a cell for each token. */
import { classOf, shiftedOf } from "../state/token-class.js";
import { find, setAttributes, setText, table } from "../ui/dom.js";
import { NOT_MEASURED, count } from "../ui/format.js";
import { addView, invalidate, makeDifference } from "../ui/frame.js";
import { makeSlots } from "../ui/slots.js";
import { t } from "../ui/text.js";
import { color, onThemeChange } from "../ui/theme.js";
import { visible } from "./tokens.js";
import { prepare } from "./wall-draw.js";

/**
 * @typedef {import("../contract/types.js").ShiftText} ShiftText
 * @typedef {{x: number, width: number, height: number, gap: number}} Grid  where cells begin, and their size, CSS pixels
 */

/** What the steps at the left take. */
const STEPS = 32;
/** Above the first row, for its step. */
const TOP = 3;
/** A cell's height by its class: seen without colour too. */
const HEIGHTS = { unshifted: 0.18, marginal: 0.55, shifted: 1 };

/**
 * @param {import("../state/store.js").Store} store
 * @param {import("../state/cursor.js").Cursor} cursor
 * @param {() => void} chosen called when a visitor chooses a token
 */
export function makeStrips(store, cursor, chosen) {
  const figure = find('[data-figure="strips"]');
  const details = find("details", figure);
  const textsOf = (/** @type {string | null} */ arm) =>
    arm === null ? [] : store.log(arm).texts.filter(({ question }) => question === cursor.question);
  const note = find(".strip-note", figure);
  const isOther = makeDifference();
  const draw = () => {
    if (details.open && isOther(store.measuredVersion, cursor.question)) {
      find(".table", details).replaceChildren(asTable(store, textsOf));
    }
  };
  details.addEventListener("toggle", draw);
  addView(figure, draw, () => {
    setText(find(".strip-question", figure), cursor.question);
    setText(find("figcaption", figure), store.isMeasured ? caption(store, textsOf) : NOT_MEASURED);
  });

  const slots = makeSlots("[data-strip]", figure);
  slots.forEach((host, place) => {
    const canvas = find("canvas", host);
    /** @type {Grid} */
    let grid = { x: STEPS, width: 1, height: 1, gap: 0 };
    const areNewCells = makeDifference();
    addView(host, () => {
      const arm = store.armAt(place);
      host.hidden = arm === null;
      if (arm === null) return;
      host.dataset.strip = arm;
      setText(find("h4", host), store.label(arm));
      const texts = textsOf(arm);
      grid = gridOf(find(".strip-room", host), texts);
      const [shown, token] = [store.text(arm, cursor.question), cursor.token(arm)];
      if (!areNewCells(texts.length, texts.at(-1), shown, token, grid.width, grid.height, devicePixelRatio, color("ink"), color("paper"))) return;
      drawStrip(canvas, grid, texts, shown, token);
      setAttributes(canvas, { "aria-label": spoken(store.label(arm), texts) });
    });
    const at = (/** @type {PointerEvent | MouseEvent} */ event) => {
      const arm = store.armAt(place);
      const text = textsOf(arm)[Math.floor((event.offsetY - TOP) / (grid.height + grid.gap))];
      const index = Math.floor((event.offsetX - grid.x) / grid.width);
      const token = text?.tokens[index];
      return arm !== null && token ? { arm, text, index, token } : null;
    };
    canvas.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
      const found = at(event);
      setText(note, found ? inWords(found.text, found.index) : "");
    });
    canvas.addEventListener("pointerleave", () => setText(note, ""));
    canvas.addEventListener("click", (/** @type {MouseEvent} */ event) => {
      const found = at(event);
      if (!found) return;
      store.pin(found.text.step);
      cursor.choose(found.arm, found.index);
      chosen();
    });
  });
  const drawAll = () => slots.forEach((slot) => invalidate(slot));
  onThemeChange(drawAll);
  new ResizeObserver(drawAll).observe(find(".strips", figure));
}

/** @returns {Grid} */
function gridOf(/** @type {HTMLElement} */ room, /** @type {ShiftText[]} */ texts) {
  const longest = Math.max(1, ...texts.map(({ tokens }) => tokens.length));
  const width = Math.max(2, Math.min(18, (room.clientWidth - STEPS) / longest));
  const pitch = Math.max(4, Math.min(20, Math.floor((room.clientHeight - TOP) / Math.max(1, texts.length))));
  return { x: STEPS, width, height: pitch - 2, gap: 2 };
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Grid} grid
 * @param {ShiftText[]} texts
 * @param {ShiftText | null} shown of the chosen step
 * @param {number} chosen token
 */
function drawStrip(canvas, { x, width, height, gap }, texts, shown, chosen) {
  const pitch = height + gap;
  const longest = Math.max(1, ...texts.map(({ tokens }) => tokens.length));
  canvas.style.width = `${x + longest * width}px`;
  const ctx = prepare(canvas, x + longest * width, TOP + Math.max(1, texts.length * pitch));
  ctx.font = "11px system-ui, sans-serif";
  ctx.textBaseline = "middle";
  const every = Math.ceil(13 / pitch);
  texts.forEach((text, row) => {
    const y = TOP + row * pitch;
    const isShown = text === shown;
    ctx.fillStyle = color(isShown ? "ink" : "ink-soft");
    if (row % every === 0 || isShown) ctx.fillText(String(text.step), 0, y + height / 2);
    text.tokens.forEach(({ rank }, i) => {
      const name = classOf(rank);
      const tall = Math.max(1, Math.round(height * HEIGHTS[name]));
      ctx.fillStyle = color(name === "unshifted" ? "ink-soft" : `${name}-line`);
      ctx.fillRect(x + i * width, y + height - tall, Math.max(1, width - 1), tall);
    });
    if (!isShown) return;
    ctx.strokeStyle = color("ink");
    ctx.strokeRect(x - 1.5, y - 0.5, text.tokens.length * width + 2, height + 1);
    if (chosen < 0 || chosen >= text.tokens.length) return;
    ctx.strokeStyle = color("focus");
    ctx.lineWidth = 2;
    ctx.strokeRect(x + chosen * width - 1, y - 1, width + 1, height + 2);
    ctx.lineWidth = 1;
  });
}

function inWords(/** @type {ShiftText} */ { step, tokens }, /** @type {number} */ i) {
  const { text, rank } = tokens[i];
  return t("strips.in-words", {
    step,
    place: String(i + 1),
    token: visible(text),
    class: t(`token-class.${classOf(rank)}`),
    rank,
  });
}

function spoken(/** @type {string} */ label, /** @type {ShiftText[]} */ texts) {
  const steps = texts.map(({ step, tokens }) => {
    const shifted = shiftedOf(tokens);
    return t("strips.spoken-step", { step: String(step), shifted, all: tokens.length });
  });
  return t("strips.spoken", { arm: label, steps: steps.join("; ") });
}

function caption(
  /** @type {import("../state/store.js").Store} */ store,
  /** @type {(arm: string) => ShiftText[]} */ textsOf,
) {
  const parts = store.armNames.map((arm) => {
    const first = textsOf(arm).find(({ tokens }) => shiftedOf(tokens) > 0);
    if (!first) return t("strips.shifted-never", { arm: store.label(arm) });
    return t("strips.shifted-from", { arm: store.label(arm), step: first.step });
  });
  return t("strips.caption", { arms: parts.join(", ") });
}

function asTable(
  /** @type {import("../state/store.js").Store} */ store,
  /** @type {(arm: string) => ShiftText[]} */ textsOf,
) {
  const amount = (/** @type {ShiftText} */ { tokens }, /** @type {string} */ name) =>
    count(tokens.filter(({ rank }) => classOf(rank) === name).length);
  const rows = store.armNames.flatMap((arm) =>
    textsOf(arm).map((text) => [
      count(text.step),
      store.label(arm),
      ...["unshifted", "marginal", "shifted"].map((name) => amount(text, name)),
      text.tokens.map((token) => visible(token.text)).join(""),
    ]),
  );
  const head = [
    t("strips.column.step"),
    t("strips.column.arm"),
    t("strips.column.unshifted"),
    t("strips.column.marginal"),
    t("strips.column.shifted"),
    t("strips.column.answer"),
  ];
  return table(t("strips.table"), head, rows);
}

/**
 * Draws views in animation frames, and only those on the screen: a view that is off screen stays marked and is
 * drawn when it comes into sight, or once nothing trains or changes any more. Its words (captions, counts) are written at once,
 * for those who read without seeing.
 */

/**
 * @typedef {{element: HTMLElement, draw: () => unknown, write: () => void, isOfSteps: boolean, isDirty: boolean,
 *   isUnwritten: boolean, isVisible: boolean, width: number | null}} View
 *   `isOfSteps`: it changes with every optimiser step; `width`: its box's, while its height is held
 */

/** @type {Map<HTMLElement, View>} */
const views = new Map();
/** The same views in the order in which they wait, kept so that no frame has to build a list. @type {View[]} */
const line = [];
let isScheduled = false;
/**
 * A view that took less than this to draw and lay out had nothing to do. One that took longer is its frame's last:
 * painting takes as long again, and the whole frame is to take less than 8 ms.
 */
const IDLE_MS = 0.3;
/** Nothing has changed for this long: time to draw what is off screen. */
const QUIET_MS = 1500;
let isQuiet = false;
let isBusy = false;
let lastNews = 0;
let quietTimer = 0;

const observer = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      const view = views.get(/** @type {HTMLElement} */ (entry.target));
      if (view) view.isVisible = entry.isIntersecting;
    }
    schedule();
  },
  { rootMargin: "150px" },
);

/**
 * While something trains, a view may grow but not shrink: everything below it would move under the reader's eyes, and
 * be repainted. A view whose width changes starts over.
 */
const heights = new ResizeObserver((entries) => {
  for (const { target, borderBoxSize } of entries) {
    const [{ inlineSize, blockSize }] = borderBoxSize;
    const element = /** @type {HTMLElement} */ (target);
    const view = views.get(element);
    if (!view) continue;
    const isHeld = view.width === null || view.width === inlineSize;
    element.style.minHeight = isHeld ? `${blockSize}px` : "";
    view.width = inlineSize;
  }
});

// When a reader folds something up, the height held for it is released.
document.addEventListener(
  "toggle",
  ({ target }) => {
    for (const { element } of line) if (element.contains(/** @type {Node} */ (target))) element.style.minHeight = "";
  },
  true,
);

function schedule() {
  if (isScheduled) return;
  isScheduled = true;
  requestAnimationFrame(drawFrame);
}

async function drawFrame() {
  isScheduled = false;
  const start = performance.now();
  let now = start;
  for (let i = 0, left = line.length; left > 0; left -= 1) {
    const view = line[i];
    const isDrawn = view.isDirty && (view.isVisible || (isQuiet && !isBusy));
    if (!isDrawn && !view.isUnwritten) {
      i += 1;
      continue;
    }
    if (now >= start + IDLE_MS) return schedule();
    line.push(...line.splice(i, 1)); // to the end, so that none waits for ever
    if (view.isUnwritten) {
      view.isUnwritten = false;
      view.write();
    }
    if (isDrawn) {
      view.isDirty = view.draw() === true;
      if (view.isDirty) schedule();
      await null; // uPlot draws in a microtask: still in this frame, and counted
    }
    if (view.isVisible || !isBusy) view.element.getBoundingClientRect(); // lays it out now, for that is most of what it costs
    now = performance.now();
  }
}

/**
 * Has `draw` called when something has changed and `element` is on the screen, and `write` wherever it is. A `draw` that
 * returns true has more to do and is called again in the next frame.
 */
export function addView(
  /** @type {HTMLElement} */ element,
  /** @type {View["draw"]} */ draw,
  /** @type {View["write"]} */ write = () => {},
  isOfSteps = false,
) {
  const view = { element, draw, write, isOfSteps, isDirty: true, isUnwritten: true, isVisible: false, width: null };
  views.set(element, view);
  line.push(view);
  observer.observe(element);
}

/** A function that tells whether its arguments differ from those of its last call. */
export function makeDifference() {
  let last = /** @type {unknown[] | null} */ (null);
  return (/** @type {unknown[]} */ ...parts) => {
    const isOther = last === null || last.length !== parts.length || parts.some((part, i) => part !== last?.[i]);
    last = parts;
    return isOther;
  };
}

/** Marks all views, or the one of `element`, for the next frames. */
export function invalidate(/** @type {HTMLElement | undefined} */ element = undefined) {
  if (element) {
    const view = views.get(element);
    if (view) view.isDirty = view.isUnwritten = true;
    return schedule(); // by itself, as when it has another size: what it shows is not news
  }
  for (const view of line) view.isDirty = view.isUnwritten = true;
  takeNews();
}

/** Marks the views that change with every optimiser step: nothing else has happened. */
export function invalidateSteps() {
  for (const view of line) if (view.isOfSteps) view.isDirty = true;
  takeNews();
}

function takeNews() {
  schedule();
  isQuiet = false;
  lastNews = performance.now();
  if (quietTimer === 0) quietTimer = setTimeout(awaitQuiet, QUIET_MS);
}

function awaitQuiet() {
  const left = lastNews + QUIET_MS - performance.now();
  quietTimer = left > 0 ? setTimeout(awaitQuiet, left) : 0;
  if (left > 0) return;
  isQuiet = true;
  schedule();
}

/** Says whether something trains: then what is off screen waits. Once nothing does any more it is drawn at once. */
export function setBusy(/** @type {boolean} */ value) {
  if (isBusy && !value) {
    isQuiet = true;
    schedule();
  }
  if (isBusy === value) return;
  isBusy = value;
  if (!isBusy) heights.disconnect();
  for (const view of line) {
    view.element.style.minHeight = "";
    view.width = null;
    if (isBusy) heights.observe(view.element);
  }
}

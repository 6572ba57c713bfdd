/**
 * Draws views in animation frames, and only those on the screen: a view that is off screen stays marked and is
 * drawn when it comes into sight, or once nothing changes any more. Its words (captions, counts) are written at once,
 * for those who read without seeing.
 */

/**
 * @typedef {{draw: () => unknown, write: () => void, isDirty: boolean, isUnwritten: boolean, isVisible: boolean,
 *   width: number | null}} View  `width`: its box's, while its height is held
 */

/** @type {Map<HTMLElement, View>} */
const views = new Map();
let isScheduled = false;
/**
 * A view that took less to draw and lay out had nothing to do. One that did have is a frame's last: paint comes on top
 * and takes as long again, and all of it is to take less than 8 ms.
 */
const IDLE_MS = 0.3;
/** Nothing has changed for this long: time to draw what is off screen. */
const QUIET_MS = 1500;
/** While something trains, one view off screen is drawn in so much time. */
const SPACING_MS = 100;
let isQuiet = false;
let isBusy = false;
let quietTimer = 0;
/** When the next view off screen may be drawn. */
let nextUnseen = 0;

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
 * While something trains a view gets higher, not lower: all below it would move under the reader's eyes, and be painted
 * again. One that gets another width starts anew.
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

// What a reader folds up may take its height along.
document.addEventListener(
  "toggle",
  ({ target }) => {
    for (const element of views.keys()) if (element.contains(/** @type {Node} */ (target))) element.style.minHeight = "";
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
  for (const [element, view] of [...views]) {
    const isDrawn = view.isDirty && (view.isVisible || (isQuiet && now >= nextUnseen));
    if (!isDrawn && !view.isUnwritten) continue;
    if (now >= start + IDLE_MS) {
      schedule();
      continue; // stays where it is, so that no view waits for ever: those that are drawn go to the end of the line
    }
    views.delete(element);
    views.set(element, view);
    if (view.isUnwritten) {
      view.isUnwritten = false;
      view.write();
    }
    if (isDrawn) {
      if (!view.isVisible && isBusy) drawUnseenLater(now);
      view.isDirty = view.draw() === true;
      if (view.isDirty) schedule();
      await null; // uPlot draws in a microtask: still in this frame, and counted
    }
    // Has it laid out now, for that is most of what it costs. Off screen, training's frames do that by themselves.
    if (view.isVisible || !isBusy) element.getBoundingClientRect();
    now = performance.now();
  }
}

/** Leaves the views off screen that are still to be drawn for later frames. */
function drawUnseenLater(/** @type {number} */ now) {
  nextUnseen = now + SPACING_MS;
  setTimeout(schedule, SPACING_MS);
}

/**
 * Has `draw` called when something has changed and `element` is on the screen, and `write` wherever it is. A `draw` that
 * returns true has more to do and is called again in the next frame.
 */
export function addView(
  /** @type {HTMLElement} */ element,
  /** @type {View["draw"]} */ draw,
  /** @type {View["write"]} */ write = () => {},
) {
  views.set(element, { draw, write, isDirty: true, isUnwritten: true, isVisible: false, width: null });
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
  for (const [key, view] of views) {
    if (element === undefined || key === element) view.isDirty = view.isUnwritten = true;
  }
  schedule();
  if (element) return; // by itself, as when it has another size: what it shows is not news
  isQuiet = false;
  clearTimeout(quietTimer);
  quietTimer = setTimeout(() => {
    isQuiet = true;
    schedule();
  }, QUIET_MS);
}

/** Says whether something trains: then what is off screen has time. Once nothing does any more it is drawn at once. */
export function setBusy(/** @type {boolean} */ value) {
  if (isBusy && !value) {
    isQuiet = true;
    nextUnseen = 0;
    schedule();
  }
  if (isBusy === value) return;
  isBusy = value;
  if (!isBusy) heights.disconnect();
  for (const [element, view] of views) {
    element.style.minHeight = "";
    view.width = null;
    if (isBusy) heights.observe(element);
  }
}

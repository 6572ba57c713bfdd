/**
 * Draws views in animation frames, and only those on the screen: a view that is off screen stays marked and is
 * drawn when it comes into sight, or once nothing changes any more. Its words (captions, counts) are written at once,
 * for those who read without seeing.
 */

/** @type {Map<Element, {draw: () => void, write: () => void, isDirty: boolean, isUnwritten: boolean, isVisible: boolean}>} */
const views = new Map();
let isScheduled = false;
/** A frame draws for about this long; the views that are left wait for the next one. */
const BUDGET_MS = 3;
/** Nothing has changed for this long: time to draw what is off screen. */
const QUIET_MS = 1500;
let isQuiet = false;
let quietTimer = 0;

const observer = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      const view = views.get(entry.target);
      if (view) view.isVisible = entry.isIntersecting;
    }
    schedule();
  },
  { rootMargin: "150px" },
);

function schedule() {
  if (isScheduled) return;
  isScheduled = true;
  requestAnimationFrame(drawFrame);
}

async function drawFrame() {
  isScheduled = false;
  const end = performance.now() + BUDGET_MS;
  for (const [element, view] of [...views]) {
    const isDrawn = view.isDirty && (view.isVisible || isQuiet);
    if (!isDrawn && !view.isUnwritten) continue;
    if (performance.now() >= end) return schedule();
    // Last in line from now on, so that no view waits for ever.
    views.delete(element);
    views.set(element, view);
    if (view.isUnwritten) {
      view.isUnwritten = false;
      view.write();
    }
    if (isDrawn) {
      view.isDirty = false;
      view.draw();
      await null; // uPlot draws in a microtask: still in this frame, and counted
    }
  }
}

/** Has `draw` called when something has changed and `element` is on the screen, and `write` wherever it is. */
export function addView(element, draw, write = () => {}) {
  views.set(element, { draw, write, isDirty: true, isUnwritten: true, isVisible: false });
  observer.observe(element);
}

/** Marks all views, or the one of `element`, for the next frames. */
export function invalidate(element) {
  for (const [key, view] of views) {
    if (element === undefined || key === element) view.isDirty = view.isUnwritten = true;
  }
  isQuiet = false;
  clearTimeout(quietTimer);
  quietTimer = setTimeout(() => {
    isQuiet = true;
    schedule();
  }, QUIET_MS);
  schedule();
}

/**
 * Draws views in animation frames, and only those on the screen: a view that is off screen stays marked and is
 * drawn when it comes into sight, or once nothing changes any more. Its words (captions, counts) are written at once,
 * for those who read without seeing.
 */

/** @type {Map<Element, {draw: () => void, write: () => void, isDirty: boolean, isUnwritten: boolean, isVisible: boolean}>} */
const views = new Map();
let isScheduled = false;
/** Nothing has changed for this long: time to draw what is off screen. */
const QUIET_MS = 400;
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
  requestAnimationFrame(drawAll);
}

function drawAll() {
  isScheduled = false;
  clearTimeout(quietTimer);
  quietTimer = setTimeout(drawHidden, QUIET_MS);
  for (const view of views.values()) {
    if (view.isUnwritten) {
      view.isUnwritten = false;
      view.write();
    }
    if (!view.isDirty || !view.isVisible) continue;
    view.isDirty = false;
    view.draw();
  }
}

function drawHidden() {
  for (const view of views.values()) {
    if (!view.isDirty) continue;
    view.isDirty = false;
    view.draw();
  }
}

/** Has `draw` called when something has changed and `element` is on the screen, and `write` wherever it is. */
export function addView(element, draw, write = () => {}) {
  views.set(element, { draw, write, isDirty: true, isUnwritten: true, isVisible: false });
  observer.observe(element);
}

/** Marks all views, or the one of `element`, for the next frame. */
export function invalidate(element) {
  for (const [key, view] of views) {
    if (element === undefined || key === element) view.isDirty = view.isUnwritten = true;
  }
  schedule();
}

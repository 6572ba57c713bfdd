/** Space plays, right arrow steps, R resets, N and B turn the lesson, as Space does in it, ? helps. Never while typing or in a widget that uses the key. */

const TYPING = "input, textarea, select, [contenteditable]";
const SPACE_ACTS = "button, a, summary, label, [role=button]";

/**
 * @param {{toggle: () => void, step: () => void, reset: () => void, next: () => void, back: () => void,
 *   help: () => void}} actions
 */
export function listenToKeys({ toggle, step, reset, next, back, help }) {
  /** @type {Record<string, () => void>} */
  const keys = { " ": toggle, ArrowRight: step, r: reset, n: next, b: back, "?": help };
  document.addEventListener("keydown", (event) => {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const action = Object.hasOwn(keys, key) ? keys[key] : null;
    if (!action || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target instanceof Element ? event.target : document.body;
    if (target.closest(TYPING) || target.closest("dialog[open]")) return;
    if (key === " " && target.closest(SPACE_ACTS)) return;
    if (key === "ArrowRight" && target.closest("[data-uses-arrows]")) return;
    event.preventDefault();
    if (key === " " && target.closest("#lesson")) next();
    else action();
  });
}

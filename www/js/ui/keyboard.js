/** Space plays, right arrow steps, R resets, ? helps. Never while typing or in a widget that uses the key. */

const TYPING = "input, textarea, select, [contenteditable]";
const SPACE_ACTS = "button, a, summary, label, [role=button]";

/** @param {{toggle: () => void, step: () => void, reset: () => void, help: () => void}} actions */
export function listenToKeys(actions) {
  /** @type {Record<string, () => void>} */
  const keys = { " ": actions.toggle, ArrowRight: actions.step, r: actions.reset, R: actions.reset, "?": actions.help };
  document.addEventListener("keydown", (event) => {
    const action = Object.hasOwn(keys, event.key) ? keys[event.key] : null;
    if (!action || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target instanceof Element ? event.target : document.body;
    if (target.closest(TYPING) || target.closest("dialog[open]")) return;
    if (event.key === " " && target.closest(SPACE_ACTS)) return;
    if (event.key === "ArrowRight" && target.closest("[data-uses-arrows]")) return;
    event.preventDefault();
    action();
  });
}

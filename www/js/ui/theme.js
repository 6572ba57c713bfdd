/** Colours for the canvases, read from the style sheet so that there is one list of them. */

/** @type {Map<string, string>} */
const cache = new Map();

/** The colour of a custom property: `color("lora")` is `--lora`. */
export function color(/** @type {string} */ name) {
  let value = cache.get(name);
  if (value === undefined) {
    value = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
    cache.set(name, value);
  }
  return value;
}

/** Calls `listener` when the colours or the resolution change. */
export function onThemeChange(/** @type {() => void} */ listener) {
  const update = () => {
    cache.clear();
    listener();
  };
  for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)", "(prefers-contrast: more)"]) {
    matchMedia(query).addEventListener("change", update);
  }
}

export function prefersLessMotion() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

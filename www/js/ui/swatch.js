/** Samples of lines for legends: their dash and their marker. */
import { armLine, markerPath } from "./arm-style.js";
import { el, svg } from "./dom.js";

export function swatch(/** @type {import("./arm-style.js").Line} */ line) {
  const root = svg("svg", { width: 30, height: 12, viewBox: "0 0 30 12", "aria-hidden": "true", class: "swatch" });
  const stroke = `var(--${line.color})`;
  if (line.fill) {
    root.append(svg("rect", { x: 8, y: 0, width: 14, height: 12, fill: `var(--${line.fill})`, stroke }));
  } else {
    const dash = (line.dash ?? []).join(" ");
    const look = { stroke, "stroke-width": line.width ?? 2, "stroke-dasharray": dash, opacity: line.alpha ?? 1 };
    root.append(svg("line", { x1: 0, y1: 6, x2: 30, y2: 6, ...look }));
  }
  if (line.marker) {
    const look = { fill: "var(--paper)", stroke, "stroke-width": 2, transform: "translate(15 6)" };
    root.append(svg("path", { d: markerPath(line.marker, 3.5), ...look }));
  }
  return root;
}

/** Writes a legend that shows each arm's mark, followed by `more`, if the arms have changed. */
export function writeLegend(
  /** @type {HTMLElement} */ host,
  /** @type {{place: number, label: string}[]} */ arms,
  /** @type {Node[]} */ ...more
) {
  const key = JSON.stringify(arms);
  if (host.dataset.arms === key) return;
  host.dataset.arms = key;
  host.replaceChildren(...arms.map(({ label, place }) => el("span", {}, swatch(armLine(place, "")), label)), ...more);
}

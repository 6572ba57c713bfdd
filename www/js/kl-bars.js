/** KL to the base by position in the response: small bars, both arms on one scale. */
import { find, setText, table } from "./dom.js";
import { ARM_LABEL, count, nats } from "./format.js";
import { addView } from "./frame.js";

const HEIGHT = 90;

/** Prepares the figure. */
export function makeKlBars(/** @type {import("./store.js").Store} */ store) {
  const figure = find('[data-figure="kl-positions"]');
  const details = find("details", figure);
  details.addEventListener("toggle", () => draw());
  let key = "";
  const draw = () => {
    const measures = store.armNames
      .map((arm) => ({ arm, measure: store.measure(arm) }))
      .filter(({ measure }) => measure);
    const next = JSON.stringify([store.measuredVersion, details.open, measures.map(({ measure }) => measure.step)]);
    if (next === key) return;
    key = next;
    const all = measures.flatMap(({ measure }) => measure.shift.positions);
    const top = Math.max(0.1, ...all.map((position) => position.kl ?? 0));
    const longest = Math.max(1, ...measures.map(({ measure }) => measure.shift.positions.length));
    for (const arm of ["lora", "full"]) {
      const host = find(`[data-bars="${arm}"]`, figure);
      const measure = measures.find((entry) => entry.arm === arm)?.measure;
      host.hidden = !measure;
      if (measure) drawBars(find("svg", host), measure.shift.positions, top, longest, arm);
    }
    setText(find("figcaption", figure), caption(measures, top));
    if (details.open) find(".table", details).replaceChildren(asTable(measures, longest));
  };
  addView(figure, draw);
}

function drawBars(svg, positions, top, longest, arm) {
  svg.setAttribute("viewBox", `0 0 ${longest * 10} ${HEIGHT}`);
  const bars = positions.map((position, i) => {
    const height = Math.max(0.5, ((position.kl ?? 0) / top) * HEIGHT);
    const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    const box = { x: i * 10 + 1, y: HEIGHT - height, width: 8, height };
    for (const [name, value] of Object.entries(box)) bar.setAttribute(name, String(value));
    const title = document.createElementNS("http://www.w3.org/2000/svg", "title");
    title.textContent = `token ${i + 1}: ${nats(position.kl)} nats over ${count(position.n)} answers`;
    bar.append(title);
    return bar;
  });
  svg.replaceChildren(...bars);
  svg.setAttribute("aria-label", `KL by position for ${ARM_LABEL[arm]}; the table below has the figures`);
}

function caption(measures, top) {
  const parts = measures.map(({ arm, measure }) => {
    const { positions } = measure.shift;
    const highest = positions.reduce(
      (best, position, i) => ((position.kl ?? 0) > (positions[best]?.kl ?? 0) ? i : best),
      0,
    );
    return `${ARM_LABEL[arm]} is furthest from the base at token ${highest + 1} (${nats(positions[highest]?.kl)} nats)`;
  });
  return `${parts.join("; ")}. Mean over the held-out answers; both on one scale up to ${nats(top)}.`;
}

function asTable(measures, longest) {
  const rows = Array.from({ length: longest }, (_, i) => [
    count(i + 1),
    ...measures.flatMap(({ measure }) => [nats(measure.shift.positions[i]?.kl), count(measure.shift.positions[i]?.n)]),
  ]);
  return table(
    "KL by position",
    ["Token", ...measures.flatMap(({ arm }) => [`${ARM_LABEL[arm]}, nats`, `${ARM_LABEL[arm]}, answers`])],
    rows,
  );
}

// The figures of docs/findings.md: points of a summary as SVG.
const SIZE = { width: 640, height: 300, left: 56, right: 12, top: 14, bottom: 44 };
const COLORS = ["#1663b3", "#bf4a06", "#067a5b", "#a2388f", "#7a6400", "#b3123f"];

const range = (values) => {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = (high - low) * 0.05;
  return [low - room, high + room];
};

/** Lists of those with the same key, in the order of their first. */
function grouped(list, key) {
  const groups = new Map();
  for (const entry of list) groups.set(key(entry), [...(groups.get(key(entry)) ?? []), entry]);
  return groups;
}

function ticks([low, high]) {
  const power = 10 ** Math.floor(Math.log10((high - low) / 4));
  const step = [1, 2, 5, 10].map((m) => m * power).find((size) => size >= (high - low) / 6);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => (first + i) * step);
}

function drawing({ courses, curves, xName, yName, writeX, arms }) {
  const { width, height, left, right, top, bottom } = SIZE;
  const all = courses.flatMap(({ points }) => points);
  const [xs, ys] = [range(all.map(({ x }) => x)), range(all.map(({ y }) => y))];
  const X = (x) => (left + ((x - xs[0]) / (xs[1] - xs[0])) * (width - left - right)).toFixed(1);
  const Y = (y) => (height - bottom - ((y - ys[0]) / (ys[1] - ys[0])) * (height - top - bottom)).toFixed(1);
  const line = (points) => points.map(({ x, y }) => `${X(x)},${Y(y)}`).join(" ");
  const parts = [
    ...ticks(ys).map((y) => `<path d="M${left} ${Y(y)}H${width - right}" stroke="#ddd"/><text x="${left - 6}" y="${Y(y)}" dy="4" text-anchor="end">${Number(y.toPrecision(6))}</text>`),
    ...ticks(xs).map((x) => `<text x="${X(x)}" y="${height - bottom + 16}" text-anchor="middle">${writeX(x)}</text>`),
    `<text x="${width - right}" y="${height - 8}" text-anchor="end">${xName}</text><text x="${left + 4}" y="${top + 4}">${yName}</text>`,
    ...curves.map(({ place, points }) => `<polyline points="${line(points)}" fill="none" stroke="${COLORS[place]}" stroke-width="2.5" opacity="0.5"/>`),
    ...courses.map(({ place, points }) => {
      const dots = points.map(({ x, y }) => `<circle cx="${X(x)}" cy="${Y(y)}" r="3" fill="${COLORS[place]}"/>`).join("");
      return `<polyline points="${line(points)}" fill="none" stroke="${COLORS[place]}" opacity="0.35"/>${dots}`;
    }),
    ...arms.map(({ label }, i) => `<circle cx="${width - 90}" cy="${top + 14 + 18 * i}" r="4" fill="${COLORS[i]}"/><text x="${width - 80}" y="${top + 18 + 18 * i}">${label}</text>`),
  ];
  const box = `xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="#333"`;
  return `<svg ${box}>\n<rect width="${width}" height="${height}" fill="#fff"/>\n${parts.join("\n")}\n</svg>\n`;
}

/** Of a sweep by held-out loss its U for each arm; of one by new facts what is learned against what is kept. */
export function drawFigure(summary) {
  const place = (arm) => summary.arms.findIndex(({ id }) => id === arm);
  const runs = grouped(summary.checkpoints, ({ arm, lr, seed }) => `${arm} ${lr} ${seed}`);
  const courses = [...runs.values()].map((points) => points.toSorted((a, b) => a.step - b.step));
  if (summary.goal === "recall_new") {
    const point = ({ recall_new, recall_cloze }) => ({ x: 100 * recall_new, y: 100 * recall_cloze });
    const curves = summary.frontiers.map(({ arm, corners }) => ({
      place: place(arm),
      points: corners.flatMap(([x, y], i) => [y, corners[i + 1]?.[1] ?? y].map((kept) => ({ x: 100 * x, y: 100 * kept }))),
    }));
    const drawn = courses.map((points) => ({ place: place(points[0].arm), points: points.map(point) }));
    return drawing({ courses: drawn, curves, xName: "new facts learned, %", yName: "old facts kept, %", writeX: (x) => x, arms: summary.arms });
  }
  const ends = grouped(courses.map((points) => points.at(-1)), ({ arm, seed }) => `${arm} ${seed}`);
  const drawn = [...ends.values()].map((points) => ({
    place: place(points[0].arm),
    points: points.toSorted((a, b) => a.lr - b.lr).map(({ lr, heldout_loss }) => ({ x: Math.log10(lr), y: heldout_loss })),
  }));
  const writeX = (x) => (Number.isInteger(x) ? `1e${x}` : "");
  return drawing({ courses: drawn, curves: [], xName: "learning rate", yName: "held-out loss, nats", writeX, arms: summary.arms });
}

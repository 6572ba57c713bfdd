/** What changed in the weights: how much of each matrix, in how many directions, and what a dose of it does. */
import { el, find, findAll, setAttributes, setText, table } from "./dom.js";
import { ARM_LABEL, count, fixed, nats, percent } from "./format.js";
import { addView, makeDifference } from "./frame.js";
import { Scatter } from "./scatter.js";
import { MATRICES, byLayer, overall } from "./weights-data.js";

/** Part of the arm's colour behind the largest change; the figures stay readable on it. */
const STRONGEST_FILL = 45;

/** The layout of a whole table takes longer than a frame has. */
const ROWS_A_FRAME = 2;

const ARMS = ["lora", "full"];
const hostOf = (arm) => find(`[data-weights="${arm}"]`);

/** Prepares the section. */
export function makeWeights(/** @type {import("./store.js").Store} */ store) {
  const shown = () => store.armNames.map((arm) => store.weights(arm)).filter((event) => event !== null);
  const isNew = makeDifference();
  addView(find("#weights"), () => {
    const events = shown();
    if (!isNew(...events)) return;
    find("#weights-none").hidden = events.length > 0;
    find("#weights-tables").hidden = events.length === 0;
    for (const arm of ARMS) hostOf(arm).hidden = !events.some((event) => event.arm === arm);
    setText(find("#weights-caption"), caption(events));
  });
  for (const arm of ARMS) addTable(arm, shown);
}

/** The table of one arm: a view of its own, whose cells stay. */
function addTable(arm, shown) {
  const host = hostOf(arm);
  const body = el("tbody");
  find(".scroll", host).append(emptyTable(arm, body));
  const isNew = makeDifference();
  /** What is left to draw of the rows. @type {(() => void)[]} */
  let rows = [];
  addView(host, () => {
    const events = shown();
    if (isNew(...events)) rows = rowsOf(body, arm, events);
    for (const draw of rows.splice(0, ROWS_A_FRAME)) draw();
    return rows.length > 0;
  });
}

function rowsOf(body, arm, events) {
  const event = events.find((candidate) => candidate.arm === arm);
  const layers = event ? byLayer(event) : [];
  const top = Math.max(...events.flatMap(({ matrices }) => matrices.map(({ relative }) => relative ?? 0)), 1e-9);
  while (body.rows.length > layers.length) body.lastElementChild.remove();
  return layers.map(({ layer, changes }, i) => () => {
    if (!body.rows[i]) body.append(emptyRow());
    const [name, ...cells] = body.rows[i].children;
    setText(name, count(layer + 1));
    changes.forEach((change, column) => drawCell(cells[column], change, top));
  });
}

function caption(events) {
  if (events.length === 0) return "";
  const parts = events.map((event) => {
    const { relative, rank90, of, n } = overall(event);
    if (n === 0) return `${ARM_LABEL[event.arm]} has changed nothing yet`;
    return `${ARM_LABEL[event.arm]} moved its ${count(n)} matrices by ${percent(relative)} on average, 90\u00a0% of that in ${fixed(rank90, 1)} of ${fixed(of, 0)} directions`;
  });
  const step = Math.max(...events.map((event) => event.step));
  return `After ${count(step)} steps: ${parts.join("; ")}. A darker cell has changed more, on one scale for both arms.`;
}

function emptyTable(arm, body) {
  const head = ["Layer", ...MATRICES.map(({ label }) => label)].map((name) => el("th", { scope: "col" }, name));
  return el(
    "table",
    { class: `heat-table ${arm}` },
    el("caption", { class: "hidden" }, `Change of the matrices of ${ARM_LABEL[arm]}, by layer`),
    el("thead", {}, el("tr", {}, head)),
    body,
  );
}

function emptyRow() {
  const cell = () => el("td", {}, el("span", { class: "relative" }), el("span", { class: "rank" }));
  return el("tr", {}, el("th", { scope: "row" }), MATRICES.map(cell));
}

function drawCell(cell, change, top) {
  const [relative, rank] = cell.children;
  cell.classList.toggle("heat", change !== null);
  setText(relative, percent(change?.relative));
  setText(rank, change ? `${change.rank90}/${change.of}` : "");
  if (!change) return cell.removeAttribute("title");
  setAttributes(cell, {
    style: `--fill: ${fixed((STRONGEST_FILL * (change.relative ?? 0)) / top, 1)}%`,
    title: `||dW|| / ||W|| = ${percent(change.relative, 2)}; ${change.rank90} of ${change.of} directions hold 90 % of the variance`,
  });
}

const FIGURES = [
  {
    name: "strength-recall",
    label: "Recall of kept facts by strength",
    pick: (m) => 100 * m.recall_cloze,
    highest: 101,
  },
  { name: "strength-kl", label: "KL to the base by strength", pick: (m) => m.kl },
];

/**
 * Prepares the sliders: the base with 0 to 2 times an arm's change.
 * @param {import("./run-control.js").RunControl} control
 * @param {(arm: string, strength: number) => void} measure
 */
export function makeStrength(control, measure) {
  const { store } = control;
  const host = find("#strength");
  /** Arms whose answer is awaited. @type {Map<string, number>} */
  const waiting = new Map();
  for (const form of findAll("[data-strength]", host)) {
    const arm = form.dataset.strength;
    const slider = find("input", form);
    const write = () => setText(find("output", form), Number(slider.value).toFixed(1));
    slider.addEventListener("input", write);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      waiting.set(arm, store.arms.get(arm).strengths.length);
      measure(arm, Number(slider.value));
      draw();
    });
    write();
  }
  const charts = FIGURES.map((spec) => ({
    spec,
    chart: new Scatter(find(".plot", find(`[data-figure="${spec.name}"]`, host)), {
      xLabel: "strength λ →",
      yLabel: "",
      label: `${spec.label}; the table has the figures`,
      isPercent: spec.highest !== undefined,
      highest: spec.highest,
      span: spec.highest ? 10 : 0.1,
      xRange: [0, 2.05],
    }),
  }));
  const draw = () => {
    for (const form of findAll("[data-strength]", host)) {
      const log = store.arms.get(form.dataset.strength);
      const before = waiting.get(form.dataset.strength);
      if (before !== undefined && log?.strengths.length !== before) waiting.delete(form.dataset.strength);
      const isWaiting = waiting.has(form.dataset.strength);
      const isIdle = control.isLive && ["paused", "done"].includes(control.state) && !control.isExperimenting;
      form.hidden = !log;
      find("button", form).disabled = !isIdle || isWaiting || store.newest === 0;
      setText(find("button", form), isWaiting ? "Measuring" : "Measure");
    }
    const doses = newestDoses(store);
    find("#strength-results").hidden = doses.length === 0;
    find("#strength-note").hidden = control.isLive && store.newest > 0;
    if (doses.length > 0) drawDoses(charts, doses);
  };
  addView(host, () => {
    const key = [store.measuredVersion, control.state, control.isLive, control.isExperimenting, waiting.size].join();
    if (key === host.dataset.key) return;
    host.dataset.key = key;
    draw();
  });
  return { stop: () => (waiting.clear(), draw()) };
}

/** All doses of the step at which each arm was last dosed, one per strength, the newest counts. */
function newestDoses(store) {
  return store.armNames.flatMap((arm) => {
    const { strengths } = store.arms.get(arm);
    const own = strengths.filter((dose) => dose.step === strengths.at(-1).step);
    const byStrength = new Map(own.map((dose) => [fixed(dose.strength, 1), dose]));
    return [...byStrength.values()].sort((a, b) => a.strength - b.strength);
  });
}

function drawDoses(charts, doses) {
  const arms = [...new Set(doses.map((dose) => dose.arm))];
  for (const { spec, chart } of charts) {
    chart.draw(
      arms.map((arm) => ({
        arm,
        points: doses
          .filter((dose) => dose.arm === arm)
          .map((dose) => ({
            x: dose.strength,
            y: spec.pick(dose),
            title: `${ARM_LABEL[arm]}, strength ${fixed(dose.strength, 1)}: ${percent(dose.recall_cloze)}, KL ${nats(dose.kl)}`,
            isLarge: true,
          })),
      })),
    );
  }
  find("#strength-table").replaceChildren(
    table(
      "Measured strengths",
      ["Arm", "Step", "Strength", "Recall, cloze", "KL", "Held-out loss", "Unshifted"],
      doses.map((dose) => [
        ARM_LABEL[dose.arm],
        count(dose.step),
        fixed(dose.strength, 1),
        percent(dose.recall_cloze),
        nats(dose.kl),
        nats(dose.heldout_loss),
        percent(dose.unshifted),
      ]),
    ),
  );
}

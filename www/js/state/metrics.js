/**
 * A measure's figures by their names in the contract, as `record/metric.rs` computes them; NaN where there is none.
 * `tests/js/metrics.test.js` holds each against its value there.
 */

/** @typedef {import("../contract/types.js").Measure} Measure */

const share = (/** @type {number | undefined} */ part, /** @type {number | undefined} */ whole) =>
  part !== undefined && whole ? part / whole : NaN;

/** @type {Record<string, [import("../contract/types.js").Split, import("../contract/types.js").RecallForm]>} */
const RECALLS = {
  recall_cloze: ["kept", "cloze"],
  recall_asked: ["kept", "asked"],
  recall_seen: ["seen", "asked"],
  recall_new_cloze: ["new", "cloze"],
  recall_new: ["new", "asked"],
};
const ERRORS = /** @type {const} */ (["borrowed", "other", "malformed"]);
const SHIFTS = /** @type {const} */ (["unshifted", "marginal", "shifted"]);
const CLASSES = /** @type {const} */ (["opener", "style", "fact"]);
/** Tokens that begin an answer. */
const EARLY = 5;
const TALK = /** @type {const} */ ({ format: "format", right: "right", conversation: "both" });

/** KL over some positions of the answers, nats per token. */
function along(/** @type {Measure["shift"]["positions"]} */ positions) {
  const sum = (/** @type {(position: Measure["shift"]["positions"][number]) => number} */ of) =>
    positions.reduce((total, position) => total + of(position), 0);
  return share(sum(({ n, kl }) => n * kl), sum(({ n }) => n));
}

export function metricOf(/** @type {string} */ name, /** @type {Measure | null} */ m) {
  if (!m) return NaN;
  if (name === "heldout_loss") return m.heldout_loss;
  if (name === "object_rank") return m.object_rank ?? NaN;
  if (name === "kl_task") return m.kl_task ?? NaN;
  if (name === "diversity") return share(m.diversity?.unique, m.diversity?.n);
  if (name === "intruders") return m.intruders ?? NaN;
  if (name === "kl") return m.shift.n > 0 ? m.shift.kl : NaN;
  if (name === "kl_early") return along(m.shift.positions.slice(0, EARLY));
  if (name === "kl_late") return along(m.shift.positions.slice(EARLY));
  if (Object.hasOwn(RECALLS, name)) {
    const [split, form] = RECALLS[name];
    const entry = m.recall.find((row) => row.split === split && row.form === form);
    return share(entry?.correct, entry?.n);
  }
  const error = ERRORS.find((kind) => kind === name);
  if (error) return share(m.errors[error], m.errors.n);
  const wrong = m.errors.borrowed + m.errors.other + m.errors.malformed;
  if (name === "borrowed_of_errors") return share(m.errors.borrowed, wrong);
  if (name === "borrowed_by_chance") return wrong > 0 ? m.errors.borrowed_by_chance : NaN;
  const shift = SHIFTS.find((kind) => kind === name);
  if (shift) return share(m.shift[shift], m.shift.n);
  const kind = CLASSES.find((part) => name === `kl_${part}` || name === `shifted_${part}`);
  const tokens = kind && m.shift.classes?.[kind];
  if (tokens) return name.startsWith("kl_") ? (tokens.n > 0 ? tokens.kl : NaN) : share(tokens.shifted, tokens.n);
  const talk = Object.entries(TALK).find(([metric]) => metric === name)?.[1];
  if (talk) return share(m.conversation?.[talk], m.conversation?.n);
  return NaN;
}

/**
 * How many workers train a run, and which arms each of them has.
 *
 * @typedef {import("../contract/types.js").ArmSpec} ArmSpec
 */

/** Where the browser does not say how much memory the device has. */
const USUAL_GIGABYTES = 4;
/** Of the device's memory, what further workers may take. */
const PART_OF_MEMORY = 1 / 4;
/** What a worker takes beside its model: machine code, and what measuring needs (docs/speed.md). */
const WORKER_BYTES = 100e6;
/** What a step of full tuning costs, and one more forward pass, in steps of LoRA. */
const FULL = 1.4;
const FORWARD = 0.4;

/** What `?workers=2` in an address asks for; for tests and benchmarks. */
export function workersIn(/** @type {string} */ search) {
  const wanted = Number(new URLSearchParams(search).get("workers"));
  return Number.isInteger(wanted) && wanted > 0 ? wanted : undefined;
}

/** The most workers: one a core, while those with a base of `bytes` fit. `wanted` stands for the cores. */
export function mostWorkers(/** @type {{wanted?: number, cores?: number, gigabytes?: number, bytes: number}} */ { wanted, cores, gigabytes, bytes }) {
  const further = Math.floor(((gigabytes ?? USUAL_GIGABYTES) * 2 ** 30 * PART_OF_MEMORY) / (bytes + WORKER_BYTES));
  return Math.max(1, Math.min(wanted ?? cores ?? 1, 1 + further));
}

/** Time of an arm's step, in steps of LoRA. */
const costOf = (/** @type {ArmSpec} */ { method, regularisers }) =>
  (method.kind === "full" ? FULL : 1) + (regularisers.kl_to_base > 0 ? FORWARD : 0);

/**
 * The ids of each worker's arms, such that all workers finish early: the longest arm comes first, and each goes to the worker with
 * the least to do. The leading worker, which has other things to do, has the lightest share. There are no more shares than arms.
 * @returns {string[][]}
 */
export function shareOut(/** @type {ArmSpec[]} */ arms, /** @type {number} */ workers) {
  const shares = arms.slice(0, workers).map(() => ({ cost: 0, arms: /** @type {ArmSpec[]} */ ([]) }));
  for (const arm of arms.toSorted((a, b) => costOf(b) - costOf(a))) {
    const [least] = shares.toSorted((a, b) => a.cost - b.cost);
    least.cost += costOf(arm);
    least.arms.push(arm);
  }
  shares.sort((a, b) => a.cost - b.cost);
  return shares.map((share) => arms.filter((arm) => share.arms.includes(arm)).map(({ id }) => id));
}

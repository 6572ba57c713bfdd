/** Links and records of version 1, which knew two arms, in today's form. */
import { DEFAULT_ARMS } from "../contract/data.js";

/** Where version 1 had an arm's choices: at the run, the rate by method. Its name and today's key. */
const OF_ARM = [
  { old: "rank", key: "r", path: ["method", "rank"], method: "lora" },
  { old: "alpha", key: "alpha", path: ["method", "alpha"], method: "lora" },
  { old: "targets", key: "targets", path: ["method", "targets"], method: "lora" },
  { old: "rslora", key: "rslora", path: ["method", "rslora"], method: "lora" },
  { old: "dora", key: "dora", path: ["method", "dora"], method: "lora" },
  { old: "lr_lora", key: "lr", path: ["lr"], method: "lora" },
  { old: "lr_full", key: "lr", path: ["lr"], method: "full" },
  { old: "schedule", key: "schedule", path: ["schedule"] },
  { old: "warmup", key: "warmup", path: ["warmup"] },
  { old: "weight_decay", key: "decay", path: ["regularisers", "weight_decay"] },
  { old: "pull", key: "pull", path: ["regularisers", "pull"], method: "full" },
  { old: "neftune", key: "neftune", path: ["regularisers", "neftune"] },
  { old: "replay", key: "replay", path: ["regularisers", "replay"] },
];

const belongs = (/** @type {{method?: string}} */ { method }, /** @type {string} */ arm) => !method || method === arm;

/** A version 1 link's entries as those of version 2; names that can't be carried over go to `ignored`. */
export function upgradeLink(/** @type {URLSearchParams} */ entries, /** @type {string[]} */ ignored) {
  const result = new URLSearchParams({ v: "2" });
  const known = (entries.get("arms") ?? "lora,full").split(",").filter((arm) => arm === "lora" || arm === "full");
  if (known.length === 0) ignored.push("arms");
  const names = known.length > 0 ? known : ["lora", "full"];
  const moved = OF_ARM.filter(({ old }) => entries.has(old));
  if (moved.length > 0 || names.length < 2) {
    for (const arm of ["lora", "full"].filter((name) => names.includes(name))) {
      const parts = moved.filter((field) => belongs(field, arm)).map(({ old, key }) => `${key}=${entries.get(old)}`);
      result.append("arm", [arm, ...parts].join(" "));
    }
  }
  for (const [name, value] of entries) {
    if (name !== "v" && name !== "arms" && !OF_ARM.some(({ old }) => old === name)) result.append(name, value);
  }
  return result;
}

/** Settings of version 1 as those of version 2. @returns {any} */
function upgradeSettings(/** @type {any} */ old) {
  const settings = { ...old };
  for (const { old: name } of OF_ARM) delete settings[name];
  const names = Array.isArray(old.arms) ? old.arms : [];
  settings.arms = names.map((/** @type {"lora" | "full"} */ name) => {
    if (!Object.hasOwn(DEFAULT_ARMS, name)) return name; // is refused where records are checked
    const arm = /** @type {any} */ (structuredClone(DEFAULT_ARMS[name]));
    for (const field of OF_ARM.filter((candidate) => belongs(candidate, name) && old[candidate.old] !== undefined)) {
      const [first, second] = field.path;
      if (second === undefined) arm[first] = old[field.old];
      else arm[first][second] = old[field.old];
    }
    return arm;
  });
  return settings;
}

const FIXED = ["condition", "fairness", "arm", "lr", "seeds"];

/** A summary's rows had their figures beside the other fields. @returns {any} */
function upgradeSummary(/** @type {any} */ old) {
  if (!Array.isArray(old.rows)) return old;
  const rows = old.rows.map((/** @type {any} */ row) => {
    const entries = Object.entries(row ?? {});
    const kept = Object.fromEntries(entries.filter(([name]) => FIXED.includes(name)));
    return { ...kept, figures: Object.fromEntries(entries.filter(([name]) => !FIXED.includes(name))) };
  });
  const arms = ["lora", "full"].filter((id) => old.rows.some((/** @type {any} */ row) => row?.arm === id));
  return { ...old, rows, arms: arms.map((id) => ({ id, label: DEFAULT_ARMS[id].label })) };
}

/** A parsed record of version 1 as one of version 2; whatever is broken in it stays so. @returns {any} */
export function upgradeRecord(/** @type {any} */ old) {
  const upgradeEvent = (/** @type {any} */ event) => {
    if (event?.type === "run" && event.settings) return { ...event, settings: upgradeSettings(event.settings) };
    return event?.type === "summary" ? upgradeSummary(event) : event;
  };
  const events = Array.isArray(old.events) ? old.events.map(upgradeEvent) : old.events;
  return { ...old, version: 2, events };
}

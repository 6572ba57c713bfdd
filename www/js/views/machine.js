/** What this machine does: engine, adapter, and what each arm trains. */
import { el, find, setText, table } from "../ui/dom.js";
import { bytes, count, percent } from "../ui/format.js";
import { addView } from "../ui/frame.js";

/**
 * Fills the panel once the engine is ready, or says why there is none.
 * @param {{engine: import("../contract/types.js").EngineName | "playback", adapter: string, reason: string,
 *   model: string, parameters: number, memory: number}} ready
 */
export function showEngine({ engine, adapter, reason, model, parameters, memory }) {
  const rows = [
    ["Engine", { webgpu: "WebGPU", cpu: "CPU (WebAssembly)", playback: "none: playback of recorded runs" }[engine]],
    ["Adapter", adapter],
    ["Model", model],
    ["Parameters", parameters > 0 ? count(parameters) : ""],
    ["Memory of the engine", memory > 0 ? `${bytes(memory)} beside the GPU's` : ""],
  ];
  const list = find("#machine-list");
  list.replaceChildren(
    ...rows.filter(([, value]) => value).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]),
  );
  setText(find("#engine-reason"), reason);
}

/** Prepares the table of what each arm trains. */
export function makeArmTable(
  /** @type {import("../state/store.js").Store} */ store,
  /** @type {() => number} */ parameters,
) {
  const section = find("#machine");
  let drawn = /** @type {import("../state/store.js").Run | null} */ (null);
  addView(section, () => {
    const { run } = store;
    if (!run || run === drawn) return;
    drawn = run;
    const total = parameters();
    const rows = run.arms.map((info) => {
      const share = total > 0 ? ` (${percent(info.trainable_parameters / total, 1)})` : "";
      const memory = info.memory_bytes == null ? [] : [bytes(info.memory_bytes)];
      return [
        store.label(info.arm),
        `${count(info.trainable_parameters)}${share}`,
        bytes(info.optimizer_bytes),
        ...memory,
      ];
    });
    const known = run.arms.some((info) => info.memory_bytes != null);
    const memory = known ? ["GPU memory in all"] : [];
    find("#arm-table").replaceChildren(
      table(
        `What each arm of the shown run trains: ${run.model}`,
        ["Arm", "Trained parameters", "Gradients and AdamW's moments", ...memory],
        rows,
      ),
    );
  });
}

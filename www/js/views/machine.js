/** What this machine does: engine, adapter, and what each arm trains. */
import { el, find, table } from "../ui/dom.js";
import { bytes, count, modelName, percent } from "../ui/format.js";
import { addView } from "../ui/frame.js";
import { t } from "../ui/text.js";

/**
 * Fills the panel once the engine is ready, or says why there is none.
 * @param {{engine: import("../contract/types.js").EngineName | "playback", adapter: string, reason: (string | Node)[],
 *   model: string, parameters: number, memory: number}} ready
 */
export function showEngine({ engine, adapter, reason, model, parameters, memory }) {
  const rows = [
    [t("machine.engine"), { webgpu: "WebGPU", cpu: "CPU (WebAssembly)", playback: t("machine.playback") }[engine]],
    [t("machine.adapter"), adapter],
    [t("machine.model"), modelName(model)],
    [t("machine.parameters"), parameters > 0 ? count(parameters) : ""],
    [t("machine.memory"), memory > 0 ? t("machine.beside-gpu", { memory: bytes(memory) }) : ""],
  ];
  const list = find("#machine-list");
  list.replaceChildren(
    ...rows.filter(([, value]) => value).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]),
  );
  find("#engine-reason").replaceChildren(...reason);
}

/** Prepares the table of what each arm trains. */
export function makeArmTable(
  /** @type {import("../state/store.js").Store} */ store,
  /** @type {() => number} */ parameters,
  /** @type {() => number} */ workers,
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
    const memory = known ? [t("machine.gpu-memory")] : [];
    const { kind, engine } = store.source;
    find("#arm-table").replaceChildren(
      table(
        t("machine.arms", { model: modelName(run.model) }),
        [t("machine.arm"), t("machine.trained"), t("machine.optimizer"), ...memory],
        rows,
      ),
      kind === "live" && engine === "cpu" && run.arms.length > 1 ? el("p", { id: "workers" }, t("machine.workers", { n: workers() })) : "",
    );
  });
}

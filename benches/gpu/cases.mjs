// What scripts/gpu-check measures on hardware, what it makes do with in software, and what is aimed at.

/** How far the losses of the two engines may lie apart, over the loss. */
export const PARITY = 1e-3;

/**
 * `bench`: options of `driftscope bench`; `bench_page`: fields of bench.html beside their defaults; `steps`: of a
 * live run of the page. Generation continues half as many tokens as a row has, which is why SmolLM2 has a case 8 x 64.
 */
export const HARDWARE = {
  steps: 200,
  bench: [
    { name: "Atlas 8 x 64", args: ["--profile"] },
    { name: "Atlas 32 x 128", args: ["--batch", "32", "--time", "128"] },
    { name: "SmolLM2 8 x 256", args: ["--shape", "smollm2", "--time", "256", "--repeat", "5", "--profile"] },
    { name: "SmolLM2 8 x 64", args: ["--shape", "smollm2", "--repeat", "5"] },
    { name: "SmolLM2 1 x 64", args: ["--shape", "smollm2", "--batch", "1", "--repeat", "5"] },
  ],
  bench_page: [
    { name: "Atlas 8 x 64 in Chromium", model: "atlas", fields: {} },
    { name: "SmolLM2 4 x 128 in Chromium", model: "smollm2", fields: { layers: 30, batch: 4, time: 128, repeat: 3 } },
  ],
};

/** The same ways, in minutes: figures of software adapters say nothing of a GPU. */
export const SOFTWARE = {
  steps: 10,
  bench: [
    { name: "Atlas 8 x 64", args: ["--repeat", "2", "--profile"] },
    {
      name: "SmolLM2, 1 layer, 1 x 32",
      args: ["--shape", "smollm2", "--layers", "1", "--batch", "1", "--time", "32", "--repeat", "1", "--profile"],
    },
  ],
  bench_page: [
    { name: "Atlas 8 x 64 in Chromium", model: "atlas", fields: { repeat: 1 } },
    {
      name: "SmolLM2, 1 layer, 1 x 32 in Chromium",
      model: "smollm2",
      fields: { layers: 1, batch: 1, time: 32, repeat: 1 },
    },
  ],
};

/** The card that the aims are for: any whose name has this. */
export const AIMED_CARD = "H100";

/** Each for the row of that name; docs/gpu.md lists them, which a test compares. */
export const AIMS = [
  { what: "SmolLM2 8 x 256: LoRA step", is: "at most", value: 110, unit: "ms" },
  { what: "SmolLM2 8 x 256: full step", is: "at most", value: 130, unit: "ms" },
  { what: "SmolLM2 8 x 256: LoRA step, share of best product", is: "at least", value: 45, unit: "%" },
  { what: "SmolLM2 8 x 256: attention's share of LoRA step", is: "under", value: 20, unit: "%" },
  { what: "SmolLM2 8 x 64: generation, 32 tokens a row", is: "at most", value: 400, unit: "ms" },
  { what: "Atlas 8 x 64: LoRA step", is: "at most", value: 3, unit: "ms" },
  { what: "Atlas 8 x 64: generation, 32 tokens a row", is: "at most", value: 8, unit: "ms" },
];

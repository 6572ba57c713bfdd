// What a run held on the GPU is given back when another takes its place, not when the browser collects its garbage.
import { countBuffers } from "../../scripts/gpu-buffers.mjs";
import { SHORT_RUN, expect, openPage, press, test, twoSteps, waitForEngine } from "./helpers.js";

test("a run's memory on the GPU goes with it @webgpu", async ({ page, site }) => {
  test.setTimeout(600_000);
  page.on("worker", (worker) => worker.evaluate(countBuffers));
  await openPage(page, site, SHORT_RUN.replace("engine=cpu", "engine=webgpu"));
  expect(await waitForEngine(page)).toBe("webgpu");
  const held = () => page.workers()[0].evaluate(() => globalThis.gpuBytes / 1e6);
  const base = await held();
  const all = [];
  for (let run = 0; run < 2; run += 1) {
    await press(page, "Reset");
    await twoSteps(page, 2);
    all.push(await held());
  }
  const [first] = all;
  expect(first, "MB of the base and a run").toBeGreaterThan(base + 10);
  expect(Math.max(...all)).toBeLessThan(first + 1);
});

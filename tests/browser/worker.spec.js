// The WebAssembly worker by itself, without the page's scripts.
import { expect, openPage, test } from "./helpers.js";

test("the worker starts from a sub-path and says that it listens", async ({ page, site }) => {
  await page.route("**/favicon.ico", (route) => route.fulfill({ status: 204 })); // asked for by the bare file below
  await openPage(page, site, "build.json");
  const first = await page.evaluate(() => new Promise((done, fail) => {
    const worker = new Worker("worker_loader.js", { type: "module" });
    worker.onmessage = ({ data }) => done(data.type);
    worker.onerror = (event) => fail(new Error(event.message ?? "the worker did not load"));
  }));
  expect(first).toBe("listening");
});

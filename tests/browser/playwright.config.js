// Two visitors: one whose browser has WebGPU (in software, by SwiftShader), one without.
// A spec that only makes sense for one of them says so by a tag in its title: @webgpu or @plain.
import { defineConfig } from "@playwright/test";
import { WEBGPU } from "../../scripts/webgpu-flags.mjs";

const executablePath = process.env.CHROMIUM; // set by scripts/test
if (!executablePath) throw new Error("run scripts/test browser, or set CHROMIUM to the browser's path");

const visitor = (name, args, grepInvert) => ({
  name,
  grepInvert,
  use: { launchOptions: { executablePath, args: ["--no-sandbox", ...args] } },
});

export default defineConfig({
  testDir: ".",
  outputDir: "../../test-artifacts/playwright",
  workers: 1, // the page itself wants a core
  timeout: 180_000,
  forbidOnly: true,
  reporter: [["list"], ["./count-reporter.js"]],
  // Files come from the server of the test, not from an earlier visit; offline.spec.js allows what it is about.
  use: { trace: { mode: "retain-on-failure", screenshots: false }, serviceWorkers: "block" },
  projects: [visitor("webgpu", WEBGPU, /@plain/), visitor("plain", [], /@webgpu/)],
});

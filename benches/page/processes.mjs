// What a browser's processes hold, by Linux's /proc.
import { readFileSync, writeFileSync } from "node:fs";

const MB = 1000; // of the kB that /proc gives

const field = (pid, name) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / MB;

/** MB that a process holds now. */
export const held = (pid) => field(pid, "VmRSS");
/** MB that it held at most since `forgetPeak`. */
export const peak = (pid) => field(pid, "VmHWM");
/** Seconds that its threads have computed, of which Linux counts hundredths. */
export function computed(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const [user, system] = stat.slice(stat.lastIndexOf(")") + 2).split(" ").slice(11, 13);
  return (Number(user) + Number(system)) / 100;
}
export const forgetPeak = (pid) => writeFileSync(`/proc/${pid}/clear_refs`, "5");

/** The processes of the open page, of the GPU, and of the browser itself, which holds Blobs. Of several renderers the page's is the largest. */
export async function processes(browser) {
  const control = await browser.newBrowserCDPSession();
  const { processInfo } = await control.send("SystemInfo.getProcessInfo");
  await control.detach();
  const largest = (wanted) => processInfo.filter(({ type }) => type === wanted).map(({ id }) => id).sort((a, b) => held(b) - held(a))[0];
  return { page: largest("renderer"), gpu: largest("GPU"), browser: largest("browser") };
}

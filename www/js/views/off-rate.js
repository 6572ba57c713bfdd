/** Whether arms train at rates that do not suit them: then a comparison shows the rates as much as the methods. */
import { BEST_RATES } from "../contract/data.js";
import { fixed } from "../ui/format.js";
import { t } from "../ui/text.js";

/** Within this factor a rate counts as the best one. */
const NEAR = 2;

/**
 * A sentence where a rate is off the recorded sweep's best one for its method, "" otherwise.
 * @param {{label: string, kind: string, lr: number}[]} arms
 */
export function offRate(arms) {
  const off = arms.flatMap(({ label, kind, lr }) => {
    const times = lr / BEST_RATES[kind];
    const isOff = times > 0 && (times > NEAR || times < 1 / NEAR);
    return isOff ? [t("off-rate.arm", { arm: label, times: times < 1 ? fixed(times, 2) : fixed(times, 1) })] : [];
  });
  return off.length > 0 ? t("off-rate.sentence", { arms: off.join(", ") }) : "";
}

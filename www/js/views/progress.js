/** The bar for what takes long; training itself has its counters. */
import { find, setText } from "../ui/dom.js";
import { bytes, count } from "../ui/format.js";
import { t } from "../ui/text.js";

/** The stage of a model's files, whose amounts are bytes. */
export const MODEL_STAGE = "model";

/** `total` 0: nobody knows how long. */
export function showProgress(/** @type {string} */ stage, /** @type {number} */ done, /** @type {number} */ total) {
  const bar = find("#progress");
  find("#progress-row").hidden = false;
  if (total > 0) {
    bar.max = total;
    bar.value = done;
  } else bar.removeAttribute("value");
  const isBytes = stage === MODEL_STAGE;
  const write = isBytes ? bytes : count;
  const isShown = isBytes || total > 0;
  const known = total > 0 ? t("progress.amount", { done: write(done), total: write(total) }) : write(done);
  setText(find("#progress-text"), `${isBytes ? t("progress.fetching") : stage} ${isShown ? known : ""}`);
}

export function hideProgress() {
  find("#progress-row").hidden = true;
}

/** A message of the worker: hidden when it is done. */
export function takeProgress(/** @type {{stage: string, done: number, total: number}} */ { stage, done, total }) {
  if (done < total || total === 0) showProgress(t(`progress.stage.${stage}`), done, total);
  else hideProgress();
}

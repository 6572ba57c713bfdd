/** Offers a newer version of the page once it is here. It comes with a visitor's click, and never costs a run. */
import { find, setText, update } from "../ui/dom.js";
import { addView, invalidate } from "../ui/frame.js";
import { t } from "../ui/text.js";

/**
 * @param {import("./kept-run.js").KeptRunView} kept
 * @returns {(take: () => Promise<void>) => void} called with what loads the page anew, and returns only where another tab is in the way
 */
export function makeUpdate(kept) {
  const host = find("#update");
  const button = find("#update-take");
  /** @type {(() => Promise<void>) | null} */
  let take = null;
  let isOpenElsewhere = false;

  const write = () => {
    update(host, { hidden: take === null });
    const step = kept.stepAfterReload;
    const isAtStake = Number.isNaN(step);
    update(button, { hidden: isAtStake });
    let text = step === null ? t("update.ready") : t("update.goes-on", { step });
    if (isAtStake) text = t("update.waits");
    else if (isOpenElsewhere) text = t("update.open-elsewhere");
    setText(find("#update-text"), text);
  };
  button.addEventListener("click", async () => {
    await take?.();
    isOpenElsewhere = true;
    invalidate(host);
  });
  find("#update-later").addEventListener("click", () => {
    take = null;
    invalidate(host);
  });
  addView(host, () => {}, write);
  return (takeNewer) => {
    take = takeNewer;
    invalidate(host);
  };
}

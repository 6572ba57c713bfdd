/** Keeps the page's files in this browser, so that it opens without a network, and says when they are there. */
import { t } from "../ui/text.js";

/** For after the start: the files are as many bytes as the page itself. `say` shows how it went. */
export async function keepOffline(/** @type {(text: string) => void} */ say) {
  if (!("serviceWorker" in navigator)) {
    say(t("offline.impossible"));
    return;
  }
  try {
    await navigator.serviceWorker.register(new URL("service-worker.js", document.baseURI));
    await navigator.serviceWorker.ready;
    say(t("offline.kept"));
    document.documentElement.dataset.offline = "ready";
  } catch (error) {
    // No room, or switched off: the page works all the same.
    say(t("offline.refused", { reason: /** @type {Error} */ (error).message }));
  }
}

/** Keeps the page's files in this browser, so that it opens without a network, and says when they are there, or a newer build is. */
import { isEmbedded } from "../ui/embedded.js";
import { t } from "../ui/text.js";

const BUILD = "__BUILD_VERSION__";

/**
 * For after the start: the files are as many bytes as the page itself.
 * @param {(text: string) => void} say shows how it went
 * @param {(take: () => Promise<void>) => void} offer called once a newer build is here. `take` loads the page anew from it; its promise
 *   is kept where another tab is in the way.
 */
export async function keepOffline(say, offer) {
  if (BUILD.startsWith("dev-")) return;
  if (!("serviceWorker" in navigator)) {
    say(t("offline.impossible"));
    return;
  }
  try {
    const registration = await navigator.serviceWorker.register(new URL("service-worker.js", document.baseURI));
    if (!isEmbedded) watch(registration, offer);
    const { active } = await navigator.serviceWorker.ready;
    active?.postMessage(BUILD);
    say(t("offline.kept"));
    document.documentElement.dataset.offline = "ready";
  } catch (error) {
    // No room, or switched off: the page works all the same.
    say(t("offline.refused", { reason: /** @type {Error} */ (error).message }));
  }
}

/** A build that waits has all its files, and another one serves this page. */
function watch(/** @type {ServiceWorkerRegistration} */ registration, /** @type {(take: () => Promise<void>) => void} */ offer) {
  const look = () => {
    const { active, waiting } = registration;
    if (active && waiting) offer(() => takeFrom(waiting));
  };
  const follow = () => registration.installing?.addEventListener("statechange", look);
  registration.addEventListener("updatefound", follow);
  follow();
  look();
}

/** @returns {Promise<void>} */
function takeFrom(/** @type {ServiceWorker} */ worker) {
  const { port1, port2 } = new MessageChannel();
  worker.addEventListener("statechange", () => worker.state === "activated" && location.reload());
  worker.postMessage("take over", [port2]);
  return new Promise((isRefused) => {
    port1.onmessage = () => isRefused();
  });
}

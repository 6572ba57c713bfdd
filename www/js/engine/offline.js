/** Keeps the page's files in this browser, so that it opens without a network, and says when they are there. */

/** For after the start: the files are as many bytes as the page itself. `say` shows how it went. */
export async function keepOffline(/** @type {(text: string) => void} */ say) {
  if (!("serviceWorker" in navigator)) {
    say("This page can't be kept for use without a network here: that needs https or localhost.");
    return;
  }
  try {
    await navigator.serviceWorker.register(new URL("service-worker.js", document.baseURI));
    await navigator.serviceWorker.ready;
    say("This page is kept in this browser now: it opens without a network too.");
    document.documentElement.dataset.offline = "ready";
  } catch (error) {
    // No room, or switched off: the page works all the same.
    say(`This browser does not keep the page for use without a network (${/** @type {Error} */ (error).message}).`);
  }
}

/**
 * Serves the page as one whole build that is kept in the browser: it opens without a network, and no two builds mix.
 *
 * A build is kept once all its files have arrived and match their hashes in build.json, which itself must match the hash
 * below. A new build is a new service worker. It fetches its files while the page keeps using the old ones, and takes
 * over when a visitor asks for it (engine/offline.js) or once no tab has the page open any more. If a file is missing
 * or does not match, nothing changes, and the next visit tries again.
 */
const VERSION = "__BUILD_VERSION__";
const LIST_INTEGRITY = "__LIST_INTEGRITY__";
/** Prefix of this copy's caches: a host may serve the page from several folders. */
const MINE = `driftscope ${registration.scope} `;
const CACHE = MINE + VERSION;

async function keepAll() {
  const list = new Request("build.json", { cache: "no-cache", integrity: LIST_INTEGRITY });
  const response = await fetch(list);
  const { files } = await response.clone().json();
  const requests = Object.entries(files).map(([file, integrity]) => new Request(file, { cache: "no-cache", integrity }));
  const cache = await caches.open(CACHE);
  try {
    await cache.addAll(requests);
    await cache.put(list, response);
  } catch (error) {
    await caches.delete(CACHE);
    throw error;
  }
}

async function dropOthers() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith(MINE) && name !== CACHE).map((name) => caches.delete(name)));
}

/** Replaces the old build, unless other tabs than the one that asks have it open: they would get parts of both. */
async function takeOver(port) {
  const windows = await clients.matchAll({ includeUncontrolled: true });
  const open = windows.filter(({ url }) => url.startsWith(registration.scope));
  if (open.length > 1) port.postMessage("open elsewhere");
  else await skipWaiting();
}

async function answer(request) {
  const url = new URL(request.url);
  if (url.pathname.endsWith("/")) url.pathname += "index.html";
  const kept = await caches.match(url, { cacheName: CACHE, ignoreSearch: true, ignoreVary: true });
  if (!kept) return fetch(request);
  // Browsers refuse a redirected response for a page load, and this is one if the host redirects index.html.
  return kept.redirected ? new Response(kept.body, kept) : kept;
}

addEventListener("install", (event) => event.waitUntil(keepAll()));
addEventListener("activate", (event) => event.waitUntil(dropOthers()));
addEventListener("message", (event) => {
  if (event.data === "take over") event.waitUntil(takeOver(event.ports[0]));
  // A page of this build that came by the network.
  if (event.data === VERSION) event.waitUntil(clients.claim());
});
addEventListener("fetch", (event) => {
  const { method, url, headers } = event.request;
  const isMine = method === "GET" && url.startsWith(registration.scope) && !headers.has("range");
  if (isMine) event.respondWith(answer(event.request));
});

/**
 * Lets the page work without a network once it has been opened with one: keeps all its files, and answers with them
 * when the network does not. With a network the host's files are shown, so that no old page is in the way.
 *
 * What is kept is one whole build: build.json lists the files, and a new build is a new service worker.
 */
const CACHE = "driftscope-__BUILD_VERSION__";

/** All files of this build; fails, and is tried again at the next visit, if one does not come or there is no room. */
async function keepAll() {
  const answer = await fetch("build.json", { cache: "no-cache" });
  const { version, files } = await answer.json();
  if (CACHE !== `driftscope-${version}`) throw new Error("the host has another build by now");
  const cache = await caches.open(CACHE);
  const requests = ["build.json", ...Object.keys(files)].map((file) => new Request(file, { cache: "no-cache" }));
  await cache.addAll(requests);
}

/** Other builds' files are not needed any more. */
async function dropOthers() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith("driftscope-") && name !== CACHE).map((name) => caches.delete(name)));
  await self.clients.claim();
}

async function answer(request) {
  try {
    return await fetch(request);
  } catch (error) {
    const url = new URL(request.url);
    if (url.pathname.endsWith("/")) url.pathname += "index.html";
    const cache = await caches.open(CACHE);
    const kept = await cache.match(url, { ignoreSearch: true });
    if (kept) return kept;
    throw error;
  }
}

self.addEventListener("install", (event) => {
  self.skipWaiting();
  event.waitUntil(keepAll());
});
self.addEventListener("activate", (event) => event.waitUntil(dropOthers()));
self.addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  if (method === "GET" && new URL(url).origin === location.origin) event.respondWith(answer(event.request));
});

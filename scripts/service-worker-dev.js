/** In the place of www/service-worker.js in a build for development: drops what a release kept, and shows the page anew. */
async function leave() {
  const mine = (await caches.keys()).filter((name) => name.startsWith(`driftscope ${registration.scope} `));
  await Promise.all(mine.map((name) => caches.delete(name)));
  await registration.unregister();
  for (const client of await clients.matchAll()) client.navigate(client.url);
}

addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(leave()));

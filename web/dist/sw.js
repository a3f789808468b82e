/**
 * Opens the page while its node is gone: the files of the last visit, if the node does not answer
 * in time. Everything else goes past it.
 */

const CACHE = "troupe";
const FILES = ["/", "/app.js", "/app.css", "/more.js"];
/** Milliseconds for which a node may be silent. */
const PATIENCE = 2_000;

addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES)).then(() => skipWaiting()));
});

addEventListener("activate", (event) => event.waitUntil(clients.claim()));

addEventListener("fetch", (event) => {
  const { origin, pathname } = new URL(event.request.url);
  if (event.request.method !== "GET" || origin !== location.origin || !FILES.includes(pathname)) return;
  event.respondWith(answer(event.request, pathname));
});

/** A push has the conversation, and the beginning of the text where the cluster sends it. */
addEventListener("push", (event) => {
  const { conversation = "", preview } = event.data?.json() ?? {};
  const body = preview || (navigator.language.startsWith("zh") ? "新消息" : "A new message");
  event.waitUntil(registration.showNotification("Troupe", { body, tag: conversation, data: { conversation } }));
});

addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(`/#/c/${encodeURIComponent(event.notification.data?.conversation ?? "")}`));
});

/** In the page that is there, or in another one. */
async function open(address) {
  const [page] = await clients.matchAll({ type: "window" });
  if (page === undefined) return clients.openWindow(address);
  await page.focus();
  return page.navigate(address);
}

/** A node that starts refuses its page, so only a good answer replaces the kept one. */
async function answer(request, path) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(path);
  try {
    const signal = kept === undefined ? undefined : AbortSignal.timeout(PATIENCE);
    const fresh = await fetch(request, { signal });
    if (fresh.ok) await cache.put(path, fresh.clone());
    return kept === undefined || fresh.ok ? fresh : kept;
  } catch (error) {
    if (kept === undefined) throw error;
    return kept;
  }
}

/** The service worker, which opens the page while its node is gone. */

interface Policies {
  createPolicy(name: string, rules: { createScriptURL: (url: string) => string }): { createScriptURL(url: string): unknown };
}

const PATH = "/sw.js";

/** A browser without service workers, or a page without TLS, has none: all else works. */
export function keepPage(page: Window & typeof globalThis): void {
  const { serviceWorker } = page.navigator as { serviceWorker?: ServiceWorkerContainer };
  if (serviceWorker === undefined) return;
  const { trustedTypes } = page as { trustedTypes?: Policies };
  try {
    // The only policy of the page, for this one address.
    const policy = trustedTypes?.createPolicy("troupe", { createScriptURL: () => PATH });
    const url = (policy?.createScriptURL(PATH) ?? PATH) as string;
    serviceWorker.register(url).catch(() => {
      // The browser forbids it, as private windows do.
    });
  } catch {
    // The policy exists: the worker was registered by this page.
  }
}

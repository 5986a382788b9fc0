// What a browser does with pages: hides them, freezes them, keeps them for later, takes them offline.

/**
 * Tells of it until the signal.
 *
 * @param {{wake: () => void, goAway: () => void, comeBack: () => void}} page
 * @param {AbortSignal} signal
 */
export function watchPage(page, signal) {
  addEventListener('online', () => page.wake(), { signal });
  document.addEventListener('visibilitychange', () => document.hidden || page.wake(), { signal });
  // A page that is kept for later gives its connection to another tab: it would die unheard.
  addEventListener('pagehide', () => page.goAway(), { signal });
  addEventListener('pageshow', () => page.comeBack(), { signal });
  document.addEventListener('freeze', () => page.goAway(), { signal });
  document.addEventListener('resume', () => page.comeBack(), { signal });
}

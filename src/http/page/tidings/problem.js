// Why a request was not answered as asked, in words a person can act on.

/** @typedef {import('../tidings.d.ts').Problem} Problem */

/** @param {Response} response @returns {Promise<Problem>} */
export async function readProblem(response) {
  const body = await response.json().catch(() => null);
  const { title = `The server answered ${response.status}`, detail } = body ?? {};
  return { title, detail, status: response.status };
}

/**
 * EventSource gives up on all but a stream and tells nobody why; one plain request does.
 *
 * @param {string} url @param {boolean} withCredentials
 * @returns {Promise<Problem | undefined>} nothing when a stream came, or no answer at all
 */
export async function askWhy(url, withCredentials) {
  const headers = { Accept: 'text/event-stream' };
  const credentials = withCredentials ? 'include' : 'same-origin';
  const stop = new AbortController();
  try {
    const response = await fetch(url, { headers, credentials, cache: 'no-store', signal: stop.signal });
    if (!response.ok || response.status === 204) return await readProblem(response);
    const type = response.headers.get('Content-Type') ?? 'something unnamed';
    if (type.startsWith('text/event-stream')) return undefined;
    const detail = `Something on the way to the server sent ${type}. Signing in to the network may help.`;
    return { title: 'The answer is not a stream', detail, status: response.status };
  } catch {
    return undefined;
  } finally {
    stop.abort();
  }
}

// Reads the operators' stream: an EventSource could send no key.

const COME_BACK_MS = 1000;

/**
 * Follows `/ops/stream` until it is refused; comes back when it ends.
 * @param {() => string} key the internal key or a token, or nothing
 * @param {(view: object) => void} onView called for each view
 * @param {(state: 'live' | 'lost') => void} onState called when the connection changes
 * @returns {Promise<string>} why it was refused
 */
export async function follow(key, onView, onState) {
  for (;;) {
    try {
      const headers = key() ? { Authorization: `Bearer ${key()}` } : {};
      const response = await fetch('/ops/stream', { headers, cache: 'no-store' });
      if (response.status === 401 || response.status === 403) return (await response.json()).detail;
      if (response.ok) {
        onState('live');
        await read(response.body, onView);
      }
    } catch {
      // The server is away: said below.
    }
    onState('lost');
    await new Promise((resolve) => setTimeout(resolve, COME_BACK_MS));
  }
}

async function read(body, onView) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const frames = (rest + value).split('\n\n');
    rest = frames.pop();
    for (const frame of frames) {
      const data = frame.split('\n').find((line) => line.startsWith('data: '));
      if (data) onView(JSON.parse(data.slice(6)));
    }
  }
}

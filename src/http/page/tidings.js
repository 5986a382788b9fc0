/**
 * Follows work in progress over Server-Sent Events: every event once, in order,
 * across reconnects, expiring tokens and connections that die without a word.
 *
 * @typedef {'connecting' | 'live' | 'reconnecting' | 'stalled' | 'closed'} StreamState
 * @typedef {{title: string, detail?: string, status?: number}} Problem In words a person can act on.
 * @typedef {{close: () => void, state: StreamState, lastEventId: string}} Following
 * @typedef {{reason?: string, problem?: Problem}} StateInfo `done`, `finished`, `refused` or the server's word.
 * @typedef {(data: any) => void} OnData
 * @typedef {object} FollowOptions
 * @property {string} patientId
 * @property {string[]} [documentIds] Only these documents; all of the patient's when empty.
 * @property {string} [token] Sent as `?token=`, since EventSource can set no header, and renewed in time.
 * @property {boolean} [follow] Stay open after `done`.
 * @property {string} [lastEventId] Where an earlier stream stopped.
 * @property {string} [baseUrl] Origin of the service; the page's own when empty.
 * @property {number} [heartbeatMs] As configured on the server.
 * @property {number} [tokenTtlSeconds] Lifetime asked for when a token is renewed.
 * @property {OnData} [onConnected]
 * @property {OnData} [onProgress]
 * @property {OnData} [onDocumentUpdate]
 * @property {OnData} [onSource]
 * @property {OnData} [onHeartbeat]
 * @property {OnData} [onDone]
 * @property {(state: StreamState, info: StateInfo) => void} [onState]
 * @property {(type: string, data: any, id: string) => void} [onEvent] Every event, before its own callback.
 * @property {(eventId: string) => void} [onRepeat] An event that came again and was dropped.
 * @property {(token: string) => void} [onToken] A renewed token.
 */

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 30_000;
const LONGEST_TIMER_MS = 12 * 3_600_000;
const REMEMBERED_EVENT_IDS = 2_048;
const REFUSALS = [400, 401, 403];

/** @param {FollowOptions} options @returns {Following} */
export function followDocuments(options) {
  const { patientId, documentIds = [], follow = false } = options;
  const query = documentIds.map((id) => ['document_id', id]);
  if (follow) query.push(['follow', '1']);
  return new ResumingStream({
    ...options,
    path: `/api/v1/patients/${encodeURIComponent(patientId)}/documents/stream`,
    query,
    channel: `doc_progress:${patientId}`,
    endsWith: follow ? null : 'done',
    callbacks: {
      connected: options.onConnected,
      progress: options.onProgress,
      document_update: options.onDocumentUpdate,
      source: options.onSource,
      heartbeat: options.onHeartbeat,
      done: options.onDone,
    },
  });
}

/** @param {Response} response @returns {Promise<Problem>} */
export async function readProblem(response) {
  const body = await response.json().catch(() => null);
  const { title = `The server answered ${response.status}`, detail } = body ?? {};
  return { title, detail, status: response.status };
}

class ResumingStream {
  constructor(options) {
    this.options = { baseUrl: '', heartbeatMs: 5_000, tokenTtlSeconds: 900, ...options };
    this.token = options.token ?? '';
    this.lastEventId = options.lastEventId ?? '';
    this.failures = 0;
    // Whatever waits for an answer compares its turn, so that a late answer changes nothing.
    this.turn = 0;
    this.seen = new Set();
    this.watchdog = setInterval(() => this.checkSilence(), 1_000);
    // A page taken back from the back/forward cache has a dead connection.
    this.onPageShow = (event) => event.persisted && this.open();
    addEventListener('pageshow', this.onPageShow);
    this.setState('connecting');
    this.open();
  }

  close(reason, problem) {
    this.turn += 1;
    this.source.close();
    for (const timer of [this.watchdog, this.retryTimer, this.renewalTimer]) clearTimeout(timer);
    removeEventListener('pageshow', this.onPageShow);
    this.setState('closed', { reason, problem });
  }

  open() {
    this.turn += 1;
    this.source?.close();
    clearTimeout(this.retryTimer);
    this.lastSignAt = Date.now();
    this.asking = true;
    if (this.state !== 'connecting') this.setReconnecting();
    this.source = new EventSource(this.url());
    for (const type of [...Object.keys(this.options.callbacks), 'reconnect']) {
      this.source.addEventListener(type, (event) => this.receive(type, event));
    }
    this.source.onerror = () => this.connectionLost();
  }

  url() {
    const query = new URLSearchParams(this.options.query);
    if (this.token) query.set('token', this.token);
    if (this.lastEventId) query.set('last_event_id', this.lastEventId);
    return `${this.options.baseUrl}${this.options.path}?${query}`;
  }

  setState(state, info = {}) {
    if (this.state === 'closed' || (this.state === state && this.reason === info.reason)) return;
    this.state = state;
    this.reason = info.reason;
    this.options.onState?.(state, info);
  }

  // A reason the server gave stays until the stream is live again.
  setReconnecting() {
    if (this.state !== 'reconnecting') this.setState('reconnecting');
  }

  receive(type, event) {
    this.lastSignAt = Date.now();
    this.asking = false;
    if (event.lastEventId) this.lastEventId = event.lastEventId;
    const data = attempt(() => JSON.parse(event.data));
    if (!data || this.isRepeat(data.event_id)) return;
    if (type === 'connected') this.becomeLive(data);
    if (this.state === 'stalled') this.setState('live');
    this.options.onEvent?.(type, data, event.lastEventId);
    this.options.callbacks[type]?.(data);
    // A callback may have closed the stream.
    if (this.state === 'closed') return;
    if (type === 'reconnect') this.serverEnds(data.reason);
    else if (type === this.options.endsWith) this.close('done');
  }

  isRepeat(eventId) {
    if (!eventId) return false;
    const repeated = this.seen.has(eventId);
    if (repeated) this.options.onRepeat?.(eventId);
    this.seen.add(eventId);
    if (this.seen.size > REMEMBERED_EVENT_IDS) this.seen.delete(this.seen.values().next().value);
    return repeated;
  }

  becomeLive({ server_time }) {
    this.failures = 0;
    this.setState('live');
    this.planRenewal(Date.parse(server_time) || Date.now());
  }

  serverEnds(reason) {
    this.setState('reconnecting', { reason });
    if (reason === 'token_expired' && this.token) {
      this.source.close();
      this.renewOrRetry();
    }
  }

  connectionLost() {
    this.lastSignAt = Date.now();
    this.asking = false;
    this.setReconnecting();
    if (this.source.readyState === EventSource.CLOSED) this.learnWhy();
  }

  // EventSource gives up on any answer but 200 and tells nobody which it was; one plain request does.
  async learnWhy() {
    const turn = ++this.turn;
    const answer = await askOnce(this.url());
    if (turn !== this.turn) return;
    if (answer.status === 204) this.close('finished');
    else if (REFUSALS.includes(answer.status)) this.close('refused', answer);
    else this.later(() => this.open());
  }

  later(action) {
    const delay = Math.min(FIRST_DELAY_MS * 2 ** this.failures, LONGEST_DELAY_MS);
    this.failures += 1;
    this.lastSignAt = Date.now();
    this.retryTimer = setTimeout(action, delay * (0.5 + Math.random() / 2));
  }

  // After a laptop's sleep or a change of network the browser may hold a dead connection for open.
  checkSilence() {
    const beats = (Date.now() - this.lastSignAt) / this.options.heartbeatMs;
    if (this.state === 'live' && beats > 2.2) this.setState('stalled');
    if (beats > this.beatsToWait()) this.open();
  }

  beatsToWait() {
    if (this.state === 'stalled') return 4;
    // The request may have gone into another connection of the browser's pool, dead as well.
    if (this.state === 'reconnecting' && this.asking) return 2.2;
    // Longer than any `retry:` the server asks for.
    return 9;
  }

  planRenewal(serverNow) {
    clearTimeout(this.renewalTimer);
    const left = expiryOf(this.token) - serverNow;
    if (!(left > 0)) return;
    const wait = Math.min(left > 60_000 ? left - 30_000 : left / 2, LONGEST_TIMER_MS);
    // A failure here costs nothing: the server's `token_expired` asks again.
    this.renewalTimer = setTimeout(() => this.renew().catch(() => {}), wait);
  }

  renew() {
    return (this.renewing ??= this.fetchToken().finally(() => (this.renewing = undefined)));
  }

  async fetchToken() {
    const { baseUrl, channel, tokenTtlSeconds } = this.options;
    const response = await fetch(`${baseUrl}/api/v1/tokens`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${this.token}` },
      body: JSON.stringify({ channels: [channel], ttl_seconds: tokenTtlSeconds }),
    });
    if (!response.ok) throw await readProblem(response);
    const { token } = await response.json();
    if (this.state === 'closed') return;
    this.token = token;
    this.options.onToken?.(token);
    this.open();
  }

  async renewOrRetry() {
    const turn = ++this.turn;
    const problem = await this.renew().catch((failure) => failure);
    if (turn !== this.turn) return;
    if (REFUSALS.includes(problem.status)) this.close('refused', problem);
    else this.later(() => this.renewOrRetry());
  }
}

async function askOnce(url) {
  const init = { headers: { Accept: 'text/event-stream' }, cache: 'no-store' };
  const response = await fetch(url, init).catch(() => Response.error());
  if (!response.ok) return readProblem(response);
  response.body?.cancel();
  return { status: response.status };
}

/** When a JWT ends, in milliseconds; undefined for any other token. */
function expiryOf(token) {
  const claims = token.split('.')[1]?.replaceAll('-', '+').replaceAll('_', '/');
  return attempt(() => JSON.parse(atob(claims)).exp * 1_000);
}

function attempt(work) {
  try {
    return work();
  } catch {
    return undefined;
  }
}

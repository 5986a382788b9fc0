// One EventSource, brought back with its cursor whenever it is lost.

import { askWhy } from './problem.js';

/** @typedef {import('../tidings.d.ts').StreamState} StreamState */
/** @typedef {import('../tidings.d.ts').StateInfo} StateInfo */
/** @typedef {import('../tidings.d.ts').Problem} Problem */

/**
 * @typedef {object} ConnectionHost
 * @property {string[]} types
 * @property {number} heartbeatMs
 * @property {boolean} withCredentials
 * @property {boolean} signsIn whether it can get a token without one that still holds
 * @property {() => string} url
 * @property {() => boolean} hasToken
 * @property {() => Promise<void>} renew
 * @property {(type: string, data: any, id: string) => void} received
 * @property {(state: StreamState, info?: StateInfo) => void} changed
 * @property {(reason: string, problem?: Problem) => void} ended
 */

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 30_000;
// What asking again does not change.
const LASTING = [400, 401, 403, 404];
/** Heartbeats missed until a stream counts as stalled, and until it is replaced. */
export const BEATS = { stalled: 2.2, lost: 4, asked: 3, waiting: 9 };

/** How long to wait after so many failures in a row. @param {number} failures */
export function delayAfter(failures, random = Math.random()) {
  return Math.min(FIRST_DELAY_MS * 2 ** failures, LONGEST_DELAY_MS) * (0.5 + random / 2);
}

export class Connection {
  /** @type {EventSource | undefined} */
  source;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  timer;
  failures = 0;
  // Whatever waits for an answer compares its turn, so that a late answer changes nothing.
  turn = 0;
  hasSignedIn = false;
  lastSignAt = 0;
  isAsking = false;

  /** @param {StreamState} state @param {ConnectionHost} host */
  constructor(state, host) {
    this.state = state;
    this.host = host;
    this.open();
  }

  open() {
    this.close();
    this.lastSignAt = Date.now();
    this.isAsking = true;
    const source = new EventSource(this.host.url(), { withCredentials: this.host.withCredentials });
    for (const type of this.host.types) {
      source.addEventListener(type, (event) => this.receive(source, type, event));
    }
    source.onerror = () => this.lose();
    this.source = source;
  }

  close() {
    this.turn += 1;
    this.source?.close();
    this.source = undefined;
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  /** Drops the connection and comes back. @param {number} delay in milliseconds */
  cut(delay) {
    this.close();
    this.become('reconnecting', { reason: 'cut' });
    this.wait(delay, () => this.open());
  }

  /** Looks for silence: after sleep or a change of network a dead connection may pass for open. */
  tick() {
    if (this.timer || !this.source) return;
    const beats = (Date.now() - this.lastSignAt) / this.host.heartbeatMs;
    if (this.state === 'live' && beats > BEATS.stalled) this.become('stalled');
    if (beats > this.patience()) this.reopen();
  }

  /** The page is looked at again, or the network is back. */
  wake() {
    const isFresh = Date.now() - this.lastSignAt < this.host.heartbeatMs;
    if (this.timer || (this.state === 'live' && !isFresh)) this.reopen();
    else this.tick();
  }

  reopen() {
    if (this.state === 'stalled') this.become('reconnecting');
    this.open();
  }

  patience() {
    if (this.state === 'stalled') return BEATS.lost;
    // The request may have gone into another connection of the browser's pool, dead as well.
    if (this.isAsking) return BEATS.asked;
    // Longer than any `retry:` the server asks for.
    return BEATS.waiting;
  }

  /** @param {StreamState} state @param {StateInfo} [info] */
  become(state, info) {
    this.state = state;
    this.host.changed(state, info);
  }

  /** @param {EventSource} source @param {string} type @param {MessageEvent} event */
  receive(source, type, event) {
    this.lastSignAt = Date.now();
    this.isAsking = false;
    let data;
    try {
      data = JSON.parse(event.data);
    } catch {
      return;
    }
    if (type === 'connected') this.failures = Number((this.hasSignedIn = false));
    if (type === 'connected' || this.state === 'stalled') this.become('live');
    this.host.received(type, data, event.lastEventId);
    // A callback may have closed the stream.
    if (this.source !== source || type !== 'reconnect') return;
    this.become('reconnecting', { reason: data.reason });
    if (data.reason === 'token_expired' && this.host.hasToken()) this.signIn();
  }

  lose() {
    this.lastSignAt = Date.now();
    this.isAsking = false;
    // A reason the server gave stays until the stream is live again.
    if (this.state !== 'reconnecting') this.become('reconnecting');
    if (this.source?.readyState === EventSource.CLOSED) this.learnWhy();
  }

  async learnWhy() {
    const turn = ++this.turn;
    const problem = await askWhy(this.host.url(), this.host.withCredentials);
    if (turn !== this.turn) return;
    if (problem?.status === 204) return this.host.ended('finished');
    if (problem?.status === 401 && this.host.signsIn && !this.hasSignedIn) return this.signIn();
    this.retry(problem, () => this.open());
  }

  async signIn() {
    this.close();
    this.hasSignedIn = true;
    const turn = this.turn;
    const problem = await this.host.renew().catch((failure) => failure ?? {});
    if (turn !== this.turn) return;
    if (problem) this.retry(problem, () => this.signIn());
    else this.open();
  }

  /** @param {Problem | undefined} problem @param {() => void} action */
  retry(problem, action) {
    if (LASTING.includes(problem?.status ?? 0)) return this.host.ended('refused', problem);
    if (problem?.title) this.become('reconnecting', { problem });
    this.wait(delayAfter(this.failures++), action);
  }

  /** @param {number} delay @param {() => void} action */
  wait(delay, action) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.timer = undefined;
      action();
    }, delay);
  }
}

// One followed stream: every event once and in order, whoever of the tabs has the connection.

import { BEATS, Connection } from './connection.js';
import { joinOf } from './cursor.js';
import { History } from './history.js';
import { watchPage } from './lifecycle.js';
import { Seen, keysOf } from './seen.js';
import { Tabs, canShare } from './tabs.js';
import { Token, renewAtService } from './token.js';

/** @typedef {import('../tidings.d.ts').StreamState} StreamState */
/** @typedef {import('../tidings.d.ts').StateInfo} StateInfo */
/** @typedef {import('../tidings.d.ts').Problem} Problem */
/** @typedef {import('../tidings.d.ts').Following} Following */
/** @typedef {import('./history.js').Told} Told */

/**
 * What is followed.
 *
 * @typedef {object} Kind
 * @property {string} path
 * @property {string[][]} query
 * @property {string} channel a token has to cover it
 * @property {string[]} types
 * @property {boolean} [isOpen] its types are the page's own, so they have no callbacks of their names
 * @property {string[]} [single] types that come once for each `id` in their data
 * @property {string} [endsWith] the type that is the last
 */

const COMMON_TYPES = ['connected', 'heartbeat', 'source', 'reconnect'];
const CATCH_UP_AFTER_MS = 1_000;
const TICK_MS = 1_000;
const DEFAULT_HEARTBEAT_MS = 5_000;
const DEFAULT_TOKEN_SECONDS = 900;

/** @implements {Following} */
export class Stream {
  /** @type {StreamState | undefined} */
  shown;
  /** @type {StateInfo} */
  info = {};
  /** @type {Connection | undefined} */
  connection;
  /** @type {Tabs | undefined} */
  tabs;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  ticking;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  lagging;
  seen = new Seen();
  history = new History();
  listening = new AbortController();
  isAway = false;
  heardAt = 0;
  takeOverAt = 0;

  /** @param {Record<string, any>} options @param {Kind} kind */
  constructor(options, kind) {
    this.options = options;
    this.kind = kind;
    this.baseUrl = options.baseUrl ?? '';
    this.heartbeatMs = options.heartbeatMs ?? DEFAULT_HEARTBEAT_MS;
    this.lastEventId = options.lastEventId ?? '';
    const seconds = options.tokenTtlSeconds ?? DEFAULT_TOKEN_SECONDS;
    const renewal = { baseUrl: this.baseUrl, channel: kind.channel, seconds };
    this.token = new Token({
      value: options.token ?? '',
      ask: options.renewToken ?? ((token) => renewAtService(renewal, token)),
      told: (token) => this.useToken(token),
    });
    watchPage(this, this.listening.signal);
    this.show('connecting');
    this.join();
  }

  get state() {
    return this.shown ?? 'connecting';
  }

  /** Whether this tab has the connection. */
  get leads() {
    return Boolean(this.connection && (!this.tabs || this.tabs.leads));
  }

  /** @param {string} [reason] @param {Problem} [problem] */
  close(reason, problem) {
    if (this.shown === 'closed') return;
    this.leave();
    this.listening.abort();
    this.show('closed', { reason, problem });
  }

  reconnect(afterMs = 0) {
    if (this.tabs && !this.tabs.leads) this.tabs.post({ cut: afterMs });
    this.connection?.cut(afterMs);
  }

  wake() {
    this.connection?.wake();
    if (!this.isAway) this.tick();
  }

  goAway() {
    this.isAway = true;
    this.leave();
  }

  comeBack() {
    if (!this.isAway || this.shown === 'closed') return;
    this.isAway = false;
    if (this.state !== 'connecting') this.show('reconnecting');
    this.join();
  }

  join() {
    this.noteSign();
    this.ticking = setInterval(() => this.tick(), TICK_MS);
    if (this.options.share === false || !canShare()) return this.connect();
    const { baseUrl, kind } = this;
    // Tabs with another version of this module keep to themselves.
    const name = `tidings/1 ${baseUrl}${kind.path}?${new URLSearchParams(kind.query)}`;
    this.tabs = new Tabs(name, {
      cursor: () => this.lastEventId,
      lead: () => this.connection ?? this.connect(),
      follow: () => this.follow(),
      beAlone: () => this.beAlone(),
      catchUp: () => this.catchUp(),
      answer: (cursor) => ({ ...this.standing(), told: this.history.since(cursor) }),
      hearAnswer: (message) => this.hearAnswer(message),
      hear: (message) => this.hear(message),
      cut: (delay) => this.connection?.cut(delay),
    });
  }

  leave() {
    clearInterval(this.ticking);
    this.disconnect();
    this.tabs?.leave();
    this.tabs = undefined;
  }

  connect() {
    const { options, heartbeatMs } = this;
    const state = this.state === 'stalled' ? 'reconnecting' : this.state;
    this.connection = new Connection(state, {
      types: [...COMMON_TYPES, ...this.kind.types],
      heartbeatMs,
      withCredentials: options.withCredentials ?? false,
      signsIn: Boolean(options.renewToken),
      url: () => this.url(),
      hasToken: () => Boolean(this.token.value || options.renewToken),
      renew: () => this.token.renew(),
      received: (type, data, id) => this.receive(type, data, id),
      changed: (to, info) => this.show(to, info),
      ended: (reason, problem) => this.close(reason, problem),
    });
  }

  disconnect() {
    clearTimeout(this.lagging);
    this.lagging = undefined;
    this.connection?.close();
    this.connection = undefined;
  }

  follow() {
    this.noteSign();
    this.disconnect();
  }

  beAlone() {
    this.tabs?.leave();
    this.tabs = undefined;
    this.catchUp();
  }

  /** Has a connection of its own until what the leader tells joins on. */
  catchUp() {
    if (!this.connection) this.connect();
  }

  url() {
    const query = new URLSearchParams(this.kind.query);
    if (this.token.value) query.set('token', this.token.value);
    if (this.lastEventId) query.set('last_event_id', this.lastEventId);
    return `${this.baseUrl}${this.kind.path}?${query}`;
  }

  /** @param {string} token */
  useToken(token) {
    if (this.shown === 'closed') return;
    this.tell(this.options.onTokenRenewed, token);
    this.connection?.open();
  }

  noteSign() {
    this.heardAt = Date.now();
    // Not all at once.
    this.takeOverAt = this.heardAt + this.heartbeatMs * (BEATS.lost + Math.random());
  }

  tick() {
    this.token.tick();
    this.connection?.tick();
    if (this.tabs?.leads) {
      // Followers are not to take a leader without a connection for one that is gone.
      if (this.state !== 'live') this.tabs.post(this.standing());
    } else if (this.tabs) {
      this.watchLeader(this.tabs);
    }
  }

  /** @param {Tabs} tabs */
  watchLeader(tabs) {
    const isSilent = Date.now() - this.heardAt > this.heartbeatMs * BEATS.stalled;
    if (isSilent && !this.connection && this.state === 'live') this.show('stalled');
    if (Date.now() < this.takeOverAt) return;
    this.noteSign();
    tabs.takeOver();
  }

  standing() {
    return { at: this.lastEventId, state: this.state, info: this.info };
  }

  /** @param {any} message */
  hearAnswer({ asked, told, state, info }) {
    this.noteSign();
    if (!told) return this.catchUp();
    // What came meanwhile has gone on from where the question was asked.
    if (asked !== this.lastEventId) return;
    // An own connection goes on from a cursor that is left behind now.
    if (told.length > 0) this.disconnect();
    if (!this.connection) this.show(state, info);
    for (const event of told) this.take(event);
  }

  /** @param {any} message */
  hear({ at, told, state, info }) {
    this.noteSign();
    const join = joinOf(this.lastEventId, at, told);
    if (join === 'off') this.lagging ??= setTimeout(() => this.catchUp(), CATCH_UP_AFTER_MS);
    if (join === 'next' || join === 'known') this.disconnect();
    if (!this.connection) this.show(state, info);
    if (join !== 'next' || !told) return;
    this.token.hear(told[1]?.server_time);
    this.take(told);
  }

  /** @param {string} type @param {any} data @param {string} id */
  receive(type, data, id) {
    /** @type {Told} */
    const told = [type, data, id || this.lastEventId];
    if (this.tabs?.leads) this.tabs.post({ ...this.standing(), told });
    this.token.hear(data?.server_time);
    this.take(told);
  }

  /** @param {Told} told */
  take([type, data, id]) {
    if (this.shown === 'closed') return;
    const keys = keysOf(type, data, id, this.lastEventId, this.kind.single);
    this.lastEventId = id;
    if (this.seen.meets(keys)) return this.tell(this.options.onRepeat, data.event_id ?? id);
    this.history.add([type, data, id]);
    this.tell(this.options.onEvent, type, data, id);
    if (!this.kind.isOpen || COMMON_TYPES.includes(type)) this.tell(this.options[callbackOf(type)], data);
    if (type === this.kind.endsWith) this.close('done');
  }

  /**
   * A callback that fails is the page's; the stream goes on.
   *
   * @param {Function | undefined} callback @param {any[]} told
   */
  tell(callback, ...told) {
    try {
      callback?.(...told);
    } catch (error) {
      reportError(error);
    }
  }

  /** @param {StreamState} state @param {StateInfo} [info] */
  show(state, info = {}) {
    const isKnown = this.info.reason === info.reason && this.info.problem?.title === info.problem?.title;
    if (this.shown === 'closed' || (this.shown === state && isKnown)) return;
    this.shown = state;
    this.info = info;
    if (this.tabs?.leads) this.tabs.post(this.standing());
    this.tell(this.options.onState, state, info);
  }
}

/** The option that takes events of a type: `onDocumentUpdate` for `document_update`. @param {string} type */
export function callbackOf(type) {
  return `on_${type}`.replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase());
}

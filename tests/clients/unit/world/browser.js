// A browser with many tabs and a server with one log, under a clock that tests move: messages are late, tabs
// freeze, crash and come back, connections break. Only what the client touches of either is here.

import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';

const LONGEST_LAG_MS = 400;

/** Random numbers that come again with the same seed. */
export function randomOf(seed) {
  let state = seed * 2_654_435_761 + 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** The server: a log, and the streams that are open on it. */
export class Log {
  events = [];
  streams = new Set();

  publish() {
    const number = this.events.length + 1;
    this.events.push(number);
    for (const stream of this.streams) this.send(stream, number);
  }

  beat() {
    for (const stream of this.streams) stream.tell('heartbeat', { server_time: new Date().toISOString() });
  }

  open(stream, cursor) {
    const at = cursor ? Number.parseInt(cursor, 10) : this.events.length;
    stream.tell('connected', { resumed: Boolean(cursor), gap: false }, `${at}-0${cursor ? '' : '~idle.0'}`);
    for (const number of this.events.slice(at)) this.send(stream, number);
    this.streams.add(stream);
  }

  send(stream, number) {
    stream.tell('progress', { event_id: `event ${number}` }, `${number}-0`);
  }
}

/** What all tabs share: a server, locks, channels; and which tab is running code now. */
export class Browser {
  log = new Log();
  channels = new Set();
  holders = new Map();
  queues = new Map();
  running = new AsyncLocalStorage();

  constructor(random) {
    this.random = random;
  }

  /** The tab whose code is running. */
  get tab() {
    return this.running.getStore();
  }

  /** Runs something for a tab: late, in the order of its line, and not while it is frozen or gone. */
  later(tab, line, work) {
    const at = Math.max(line.last ?? 0, Date.now() + this.random() * LONGEST_LAG_MS);
    line.last = at;
    this.wait(() => this.run(tab, work), at - Date.now());
  }

  run(tab, work) {
    if (tab.isGone) return;
    if (tab.isFrozen) return void tab.missed.push(work);
    this.running.run(tab, work);
  }

  thaw(tab) {
    tab.isFrozen = false;
    for (const work of tab.missed.splice(0)) this.run(tab, work);
  }

  crash(tab) {
    tab.isGone = true;
    for (const stream of this.log.streams) if (stream.tab === tab) this.log.streams.delete(stream);
    for (const channel of this.channels) if (channel.tab === tab) this.channels.delete(channel);
    for (const [name, queue] of this.queues) this.queues.set(name, queue.filter((waiting) => waiting.tab !== tab));
    for (const [name, holder] of this.holders) if (holder.tab === tab) this.release(name, holder);
  }

  request(name, { signal, steal }, work) {
    return new Promise((resolve, reject) => {
      const waiting = { tab: this.tab, work, resolve, reject };
      const queue = this.queues.get(name) ?? [];
      signal?.addEventListener('abort', () => {
        const index = (this.queues.get(name) ?? []).indexOf(waiting);
        if (index < 0) return;
        this.queues.get(name).splice(index, 1);
        reject(new DOMException('aborted', 'AbortError'));
      });
      if (!steal) this.queues.set(name, [...queue, waiting]);
      const held = this.holders.get(name);
      if (steal && held) this.run(held.tab, () => held.reject(new DOMException('stolen', 'AbortError')));
      if (steal) this.grant(name, waiting);
      else if (!held) this.next(name);
    });
  }

  grant(name, waiting) {
    this.holders.set(name, waiting);
    this.later(waiting.tab, {}, () => {
      if (this.holders.get(name) !== waiting) return;
      Promise.resolve(waiting.work()).then(() => {
        waiting.resolve();
        this.release(name, waiting);
      });
    });
  }

  release(name, holder) {
    if (this.holders.get(name) !== holder) return;
    this.holders.delete(name);
    this.next(name);
  }

  next(name) {
    const waiting = this.queues.get(name)?.shift();
    if (waiting) this.grant(name, waiting);
  }

  /** Puts in the place of the real ones what the client asks a browser for. */
  install() {
    const browser = this;
    const wait = globalThis.setTimeout;
    this.wait = wait;
    // Timers stand still with their tab, and a cleared one is cleared although its time has come.
    globalThis.setTimeout = (work, delay) => {
      const timer = { tab: this.tab, isCleared: false };
      wait(() => this.run(timer.tab, () => timer.isCleared || work()), delay);
      return timer;
    };
    globalThis.clearTimeout = (timer) => {
      if (timer) timer.isCleared = true;
    };
    class Source {
      static CLOSED = 2;
      heard = {};
      line = {};
      readyState = 0;
      lastEventId = '';

      constructor(url) {
        this.tab = browser.tab;
        this.cursor = new URL(url, 'http://host').searchParams.get('last_event_id');
        browser.later(this.tab, this.line, () => this.readyState < 2 && browser.log.open(this, this.cursor));
      }

      addEventListener(type, listener) {
        this.heard[type] = listener;
      }

      tell(type, data, id) {
        browser.later(this.tab, this.line, () => {
          if (this.readyState === Source.CLOSED) return;
          if (id) this.lastEventId = id;
          this.heard[type]?.({ data: JSON.stringify(data), lastEventId: this.lastEventId });
        });
      }

      /** The connection breaks; as a browser does, it comes back by itself with the last id. */
      break() {
        browser.log.streams.delete(this);
        browser.later(this.tab, this.line, () => {
          if (this.readyState === Source.CLOSED) return;
          this.onerror();
          browser.later(this.tab, this.line, () => {
            if (this.readyState < 2) browser.log.open(this, this.lastEventId || this.cursor);
          });
        });
      }

      close() {
        this.readyState = Source.CLOSED;
        browser.log.streams.delete(this);
      }
    }
    class Channel {
      lines = new Map();

      constructor(name) {
        Object.assign(this, { name, tab: browser.tab });
        browser.channels.add(this);
      }

      postMessage(message) {
        const data = structuredClone(message);
        for (const other of browser.channels) {
          if (other === this || other.name !== this.name) continue;
          if (!this.lines.has(other)) this.lines.set(other, {});
          const hear = () => browser.channels.has(other) && other.onmessage({ data });
          browser.later(other.tab, this.lines.get(other), hear);
        }
      }

      close() {
        browser.channels.delete(this);
      }
    }
    const locks = { request: (name, options, work) => this.request(name, options, work) };
    Object.defineProperty(globalThis, 'navigator', { value: { locks }, configurable: true });
    const page = { addEventListener: () => {}, hidden: false };
    Object.assign(globalThis, { EventSource: Source, BroadcastChannel: Channel, document: page });
    const reportError = (error) => assert.fail(error);
    Object.assign(globalThis, { addEventListener: () => {}, reportError });
  }
}

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Connection, delayAfter } from '../../../src/http/page/tidings/connection.js';
import { callbackOf } from '../../../src/http/page/tidings/stream.js';

/** What a browser's EventSource is to its user. */
class Source {
  static CLOSED = 2;
  static opened = [];
  heard = {};
  readyState = 0;

  constructor(url) {
    this.url = url;
    Source.opened.push(this);
  }

  addEventListener(type, listener) {
    this.heard[type] = listener;
  }

  send(type, data, lastEventId = '') {
    this.heard[type]({ data: JSON.stringify(data), lastEventId });
  }

  close() {
    this.readyState = Source.CLOSED;
  }
}

const BEAT = 1_000;
const opened = (t, more = {}) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  globalThis.EventSource = Source;
  Source.opened = [];
  const seen = { states: [], ended: [] };
  const connection = new Connection('connecting', {
    types: ['connected', 'progress', 'heartbeat', 'reconnect'],
    heartbeatMs: BEAT,
    url: () => `/stream?${Source.opened.length}`,
    hasToken: () => false,
    received: () => {},
    changed: (state, { reason } = {}) => seen.states.push(reason ? `${state} ${reason}` : state),
    ended: (...end) => seen.ended.push(end),
    ...more,
  });
  return { connection, ...seen };
};
const newest = () => Source.opened.at(-1);

test('two missed heartbeats are a stall, four a loss', (t) => {
  const { connection, states } = opened(t);
  newest().send('connected', {});

  for (const wait of [2 * BEAT, 0.5 * BEAT]) {
    t.mock.timers.tick(wait);
    connection.tick();
  }
  assert.deepEqual(states, ['live', 'stalled']);
  t.mock.timers.tick(2 * BEAT);
  connection.tick();

  assert.deepEqual(states, ['live', 'stalled', 'reconnecting']);
  assert.equal(Source.opened.length, 2);
  assert.equal(Source.opened[0].readyState, Source.CLOSED);
});

test('a stall ends with the next sign of life', (t) => {
  const { connection, states } = opened(t);
  newest().send('connected', {});
  t.mock.timers.tick(3 * BEAT);
  connection.tick();

  newest().send('heartbeat', {});

  assert.deepEqual(states, ['live', 'stalled', 'live']);
  assert.equal(Source.opened.length, 1);
});

test('a cut comes back after its time, and nothing else opens meanwhile', (t) => {
  const { connection, states } = opened(t);
  newest().send('connected', {});

  connection.cut(20 * BEAT);
  t.mock.timers.tick(19 * BEAT);
  connection.tick();
  assert.equal(Source.opened.length, 1);
  t.mock.timers.tick(BEAT);

  assert.equal(Source.opened.length, 2);
  assert.deepEqual(states, ['live', 'reconnecting cut']);
});

test('whoever wakes up does not wait for the next try', (t) => {
  const { connection } = opened(t);
  connection.cut(20 * BEAT);

  connection.wake();

  assert.equal(Source.opened.length, 2);
});

test('a word of the server stays until the stream is live again', (t) => {
  const { states } = opened(t);
  newest().send('connected', {});

  newest().send('reconnect', { reason: 'shutdown' });
  newest().onerror();

  assert.deepEqual(states, ['live', 'reconnecting shutdown']);
});

test('waits grow to half a minute, and no two browsers wait the same', () => {
  assert.deepEqual([0, 1, 2, 9].map((failures) => delayAfter(failures, 1)), [1_000, 2_000, 4_000, 30_000]);
  assert.equal(delayAfter(3, 0), 4_000);
});

test('callbacks are named after the types', () => {
  const named = ['done', 'document_update', 'answer_done'].map(callbackOf);

  assert.deepEqual(named, ['onDone', 'onDocumentUpdate', 'onAnswerDone']);
});

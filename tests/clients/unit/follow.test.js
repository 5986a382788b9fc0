import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';

import { followChat, followDocuments, followStream } from '../../../src/http/page/tidings/follow.js';

let source;
let following;

/** A connection in the test's own hands. */
class Source {
  static CLOSED = 2;
  heard = {};

  constructor(url) {
    this.url = new URL(url, 'http://host');
    source = this;
  }

  addEventListener(type, listener) {
    this.heard[type] = listener;
  }

  tell(type, data, lastEventId = '') {
    this.heard[type]({ data: JSON.stringify(data), lastEventId });
  }

  close() {}
}

beforeEach(() => {
  const page = { addEventListener: () => {}, hidden: false };
  const reportError = (error) => assert.fail(error);
  Object.assign(globalThis, { EventSource: Source, document: page, addEventListener: () => {}, reportError });
});

afterEach(() => following.close());

const alone = { share: false };

test('a chat is followed at its case, with the events that a chat has', () => {
  following = followChat({ caseId: 'c 1', ...alone });

  assert.equal(source.url.pathname, '/api/v1/cases/c%201/chat/stream');
  assert.equal(source.url.search, '');
  for (const type of ['token', 'message', 'agent_joined', 'typing', 'answer_done', 'connected', 'source']) {
    assert.ok(source.heard[type], type);
  }
});

test('each event of a chat comes to its own callback and to onEvent', () => {
  const told = [];
  const callbacks = ['onToken', 'onMessage', 'onAgentJoined', 'onTyping', 'onAnswerDone', 'onConnected'];
  const own = Object.fromEntries(callbacks.map((name) => [name, (data) => told.push([name, data.n])]));
  following = followChat({ caseId: 'c1', ...own, onEvent: (type) => told.push(type), ...alone });

  source.tell('connected', { n: 0 }, '1-0');
  ['token', 'message', 'agent_joined', 'typing', 'answer_done'].forEach((type, n) => source.tell(type, { n: n + 1 }, `${n + 2}-0`));

  const types = ['connected', 'token', 'message', 'agent_joined', 'typing', 'answer_done'];
  const names = ['onConnected', 'onToken', 'onMessage', 'onAgentJoined', 'onTyping', 'onAnswerDone'];
  assert.deepEqual(told, types.flatMap((type, n) => [type, [names[n], n]]));
});

test('a message that the log and the store tell is handed over once', () => {
  const told = [];
  const repeats = [];
  const onMessage = ({ id }) => told.push(id);
  following = followChat({ caseId: 'c1', onMessage, onRepeat: (id) => repeats.push(id), ...alone });
  source.tell('connected', {}, '1-0');

  source.tell('message', { id: 'm1' }, '1-0');
  source.tell('message', { id: 'm1' }, '2-0');
  source.tell('message', { id: 'm2' }, '3-0');

  assert.deepEqual([told, repeats.length], [['m1', 'm2'], 1]);
});

test('a chat that is narrowed asks for just these events, also for those of its own', () => {
  following = followChat({ caseId: 'c1', events: ['message', 'poll.opened'], ...alone });

  assert.equal(source.url.searchParams.get('events'), 'message,poll.opened');
  assert.ok(source.heard['poll.opened']);
});

test('a chat does not end by itself, documents do', () => {
  const states = [];
  following = followChat({ caseId: 'c1', onState: (state) => states.push(state), ...alone });
  source.tell('connected', {}, '1-0');
  source.tell('answer_done', {}, '2-0');
  assert.deepEqual(states, ['connecting', 'live']);
  following.close();

  following = followDocuments({ patientId: 'p1', onState: (state) => states.push(state), ...alone });
  source.tell('connected', {}, '1-0');
  source.tell('done', {}, '1-0~done.1');
  assert.equal(states.at(-1), 'closed');
});

test('any other work is followed by its kind, its types and onEvent alone', () => {
  const told = [];
  const options = { kind: 'transcode', id: 'job-7', events: ['frame.done', 'paid'], ...alone };
  const onPaid = () => assert.fail('a type of the page is no callback of the client');
  const onState = (state) => told.push(state);
  following = followStream({ ...options, onPaid, onState, onEvent: (type, data, id) => told.push([type, data, id]) });

  assert.equal(source.url.pathname, '/api/v1/streams/transcode/job-7');
  assert.equal(source.url.searchParams.get('events'), 'frame.done,paid');
  source.tell('connected', { n: 0 }, '1-0');
  // A server that replays from further back than it was asked to.
  for (let time = 0; time < 2; time += 1) {
    source.tell('paid', { n: 1 }, '2-0');
    source.tell('frame.done', { n: 2 }, '3-0');
  }

  const events = [['connected', { n: 0 }, '1-0'], ['paid', { n: 1 }, '2-0'], ['frame.done', { n: 2 }, '3-0']];
  assert.deepEqual(told.filter(Array.isArray), events);
  assert.equal(following.lastEventId, '3-0');
});

test('a type of the page that is called like a callback of the client reaches onEvent only', () => {
  const onState = (state) => assert.equal(typeof state, 'string');
  following = followStream({ kind: 'k', id: 'i', events: ['state', 'event'], onState, ...alone });

  source.tell('connected', {}, '1-0');
  source.tell('state', { on: true }, '2-0');
});

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { History } from '../../../src/http/page/tidings/history.js';

const event = (id, type = 'progress') => [type, {}, id];
const filled = (events, size) => {
  const history = new History(size);
  for (const told of events) history.add(told);
  return history;
};

test('a tab with nothing is told all since the newest snapshot', () => {
  const history = filled([event('1', 'connected'), event('2'), event('2', 'connected'), event('3')]);

  assert.deepEqual(history.since(''), [event('2', 'connected'), event('3')]);
});

test('a tab with a cursor is told what is behind it, whatever the mark', () => {
  const history = filled([event('1', 'connected'), event('2'), event('2', 'document_update'), event('3')]);

  assert.deepEqual(history.since('2~done.7'), [event('2', 'document_update'), event('3')]);
  assert.deepEqual(history.since('3'), []);
});

test('a cursor that is not there cannot be answered', () => {
  assert.equal(filled([event('1', 'connected')]).since('9'), null);
  assert.equal(filled([]).since('9'), null);
});

test('before anything has come there is nothing to tell', () => {
  assert.deepEqual(filled([]).since(''), []);
});

test('memory is bounded, and a snapshot that fell out is missing', () => {
  const history = filled([event('1', 'connected'), event('2'), event('3'), event('4')], 3);

  assert.equal(history.told.length, 3);
  assert.equal(history.since(''), null);
  assert.deepEqual(history.since('3'), [event('4')]);
});

test('what passes is not kept', () => {
  assert.deepEqual(filled([event('1', 'heartbeat'), event('1', 'reconnect')]).told, []);
});

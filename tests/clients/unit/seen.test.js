import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Seen, keysOf } from '../../../src/http/page/tidings/seen.js';

test('a key is met once, and known from then on', () => {
  const seen = new Seen();

  assert.deepEqual([seen.meets(['a']), seen.meets(['b']), seen.meets(['a'])], [false, false, true]);
});

test('one key in common is enough, and the others are known too', () => {
  const seen = new Seen();
  seen.meets(['place 1', 'event x']);

  assert.equal(seen.meets(['place 2', 'event x']), true);
  assert.equal(seen.meets(['place 2']), true);
});

test('memory is bounded: the oldest is forgotten, one met again is young again', () => {
  const seen = new Seen(3);
  for (const key of ['a', 'b', 'c', 'a', 'd']) seen.meets([key]);

  assert.equal(seen.keys.size, 3);
  assert.deepEqual([...seen.keys], ['c', 'a', 'd']);
});

test('it remembers more than a log can replay', () => {
  const seen = new Seen();
  for (let n = 0; n < 100_000; n += 1) seen.meets([`event ${n}`, `log ${n}`]);

  assert.equal(seen.meets([`event ${100_000 - 512}`]), true);
  assert.ok(seen.keys.size <= 4_096);
});

test('an event goes by its place and by its event_id', () => {
  assert.deepEqual(keysOf('progress', { event_id: 'x' }, '5-0', '4-0'), ['event x', 'log 5-0']);
});

test('what has no place of its own goes by none', () => {
  assert.deepEqual(keysOf('document_update', { document_id: 'd' }, '4-0', '4-0'), []);
  assert.deepEqual(keysOf('connected', {}, '4-0', ''), []);
  assert.deepEqual(keysOf('heartbeat', {}, '6-0', '4-0'), []);
});

test('a message goes by its id where it may come from two sources', () => {
  assert.deepEqual(keysOf('message', { id: 'm1' }, '', '', ['message']), ['message m1']);
  assert.deepEqual(keysOf('message', { id: 'm1' }, '', ''), []);
});

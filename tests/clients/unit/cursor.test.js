import assert from 'node:assert/strict';
import { test } from 'node:test';

import { joinOf, positionOf } from '../../../src/http/page/tidings/cursor.js';

test('a position is a cursor without its mark', () => {
  assert.equal(positionOf('5-0~done.17'), '5-0');
  assert.equal(positionOf('5-0'), '5-0');
});

test('an event right behind goes on', () => {
  assert.equal(joinOf('5-0', '5-0', ['progress', {}, '6-0']), 'next');
  assert.equal(joinOf('5-0~idle.1', '5-0', ['heartbeat', {}, '5-0']), 'next');
});

test('a leader that has reached the own place is known', () => {
  assert.equal(joinOf('6-0', '5-0', ['progress', {}, '6-0']), 'known');
});

test('a hole before the event and an event behind are off', () => {
  assert.equal(joinOf('5-0', '6-0', ['progress', {}, '7-0']), 'off');
  assert.equal(joinOf('5-0', '3-0', ['progress', {}, '4-0']), 'off');
  assert.equal(joinOf('5-0', '6-0'), 'off');
});

test('a tab with nothing begins with a snapshot only', () => {
  assert.equal(joinOf('', '5-0', ['connected', {}, '5-0']), 'next');
  assert.equal(joinOf('', '5-0', ['progress', {}, '6-0']), 'wait');
  assert.equal(joinOf('', ''), 'wait');
});

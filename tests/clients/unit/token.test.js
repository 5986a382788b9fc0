import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Token, claimsOf, marginOf } from '../../../src/http/page/tidings/token.js';

const NOW = Date.now();
const jwt = (claims) => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.x`;
const lasting = (seconds, more = {}) => jwt({ exp: NOW / 1_000 + seconds, ...more });
const heard = (value, ask) => {
  const told = [];
  const token = new Token({ value, ask, told: (renewed) => told.push(renewed) });
  token.ahead = 0;
  return { token, told };
};

test('claims are read from a JWT, and nothing from anything else', () => {
  assert.deepEqual(claimsOf(jwt({ exp: 7, name: '??>>' })), { exp: 7, name: '??>>' });
  for (const other of ['', 'opaque', 'a.b.c']) assert.deepEqual(claimsOf(other), {});
});

test('the margin is longer than the 10 s by which a server ends streams early', () => {
  assert.equal(marginOf(900_000), 300_000);
  assert.equal(marginOf(12 * 3_600_000), 300_000);
  for (const seconds of [20, 30, 60, 90]) assert.ok(marginOf(seconds * 1_000) > 10_000, `${seconds} s`);
});

test('a token is renewed when its margin begins, and not before', async () => {
  const { token, told } = heard(lasting(90), async () => lasting(180));

  token.tick(NOW);
  token.tick(NOW + 59_000);
  assert.equal(token.renewing, undefined);
  token.tick(NOW + 60_001);
  await token.renewing;

  assert.equal(told.length, 1);
  assert.equal(claimsOf(token.value).exp, NOW / 1_000 + 180);
});

test('nothing happens while the time of the server is unknown, or when there is no end', () => {
  const ask = () => assert.fail('asked');
  new Token({ value: lasting(1), ask, told: ask }).tick(NOW);
  heard('opaque', ask).token.tick(NOW);
  heard('', ask).token.tick(NOW);
});

test('the clock of the server counts, not the own', async () => {
  const { token, told } = heard(lasting(3_600), async () => lasting(7_200));

  token.tick(NOW);
  token.hear(new Date(NOW + 3_500_000).toISOString());
  token.tick(NOW);
  await token.renewing;

  assert.equal(told.length, 1);
});

test('a failure is tried again later, a refusal never', async () => {
  const asked = [];
  let problem = { status: 503 };
  const { token } = heard(lasting(90), async () => {
    asked.push(problem.status);
    throw problem;
  });
  const tick = async (seconds) => {
    token.tick(NOW + seconds * 1_000);
    await token.renewing?.catch(() => {});
  };

  await tick(0);
  await tick(61);
  await tick(62);
  problem = { status: 403 };
  await tick(72);
  await tick(85);

  assert.deepEqual(asked, [503, 403]);
});

test('who asks at the same time gets the same answer', async () => {
  let asked = 0;
  const { token } = heard(lasting(90), async () => `renewed ${(asked += 1)}`);

  await Promise.all([token.renew(), token.renew()]);

  assert.equal(token.value, 'renewed 1');
});

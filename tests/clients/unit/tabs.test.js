import assert from 'node:assert/strict';
import { mock, test } from 'node:test';

import { followDocuments } from '../../../src/http/page/tidings/follow.js';
import { Browser, randomOf } from './world/browser.js';

// Each is another course of events, and the same whenever it is run.
const SEEDS = 120;
const STEPS = 400;
const STEP_MS = 100;
const SETTLING_STEPS = 900;

class Tab {
  isGone = false;
  isFrozen = false;
  missed = [];
  received = [];

  constructor(browser) {
    this.browser = browser;
    browser.run(this, () => {
      this.stream = followDocuments({
        patientId: 'p1',
        follow: true,
        onProgress: ({ event_id }) => this.received.push(event_id),
        onConnected: () => (this.knownFrom ??= browser.log.events.length),
      });
    });
    clearInterval(this.stream.ticking);
  }

  // In place of the interval, which would go on in a frozen tab.
  tick() {
    this.browser.run(this, () => this.stream.isAway || this.stream.tick());
    clearInterval(this.stream.ticking);
  }
}

function isFollowing({ isGone, stream }) {
  return !isGone && stream.state !== 'closed';
}

/** One thing that may happen in a browser. */
function happen(browser, tabs, random) {
  const alive = tabs.filter(isFollowing);
  const tab = alive[Math.floor(random() * alive.length)];
  if (!tab) return void tabs.push(new Tab(browser));
  const chance = random();
  if (chance < 0.5) browser.log.publish();
  else if (chance < 0.56 && alive.length < 6) tabs.push(new Tab(browser));
  else if (chance < 0.6 && alive.length > 2) browser.crash(tab);
  else if (chance < 0.63 && alive.length > 2) browser.run(tab, () => tab.stream.close());
  else if (chance < 0.68 && alive.length > 0) tab.isFrozen = true;
  else if (chance < 0.74) browser.thaw(tab);
  else if (chance < 0.78) browser.run(tab, () => tab.stream.goAway());
  else if (chance < 0.84) browser.run(tab, () => tab.stream.comeBack());
  else if (chance < 0.88) browser.run(tab, () => tab.stream.reconnect(random() * 3_000));
  else if (chance < 0.92) for (const stream of browser.log.streams) stream.break();
}

async function pass(browser, tabs, step) {
  if (step % 50 === 0) browser.log.beat();
  if (step % 10 === 0) for (const tab of tabs) tab.tick();
  mock.timers.tick(STEP_MS);
  await new Promise(setImmediate);
}

async function live(seed) {
  const random = randomOf(seed);
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1_700_000_000_000 });
  mock.method(Math, 'random', random);
  const browser = new Browser(random);
  browser.install();
  const tabs = [new Tab(browser), new Tab(browser)];
  for (let step = 0; step < STEPS; step += 1) {
    happen(browser, tabs, random);
    await pass(browser, tabs, step);
  }
  for (const tab of tabs) browser.thaw(tab);
  const alive = tabs.filter(isFollowing);
  for (const tab of alive) browser.run(tab, () => tab.stream.comeBack());
  for (let step = 0; step < SETTLING_STEPS; step += 1) await pass(browser, tabs, step);
  const events = browser.log.events.map((number) => `event ${number}`);
  const streams = [...browser.log.streams];
  for (const tab of tabs) browser.run(tab, () => tab.stream.close());
  mock.restoreAll();
  mock.timers.reset();
  return { events, streams, alive };
}

test('whatever tabs and connections do, each tab has every event once and in order', async () => {
  let tabsSeen = 0;
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const { events, streams, alive } = await live(seed);

    assert.equal(streams.length, alive.length > 0 ? 1 : 0, `seed ${seed}: one connection`);
    for (const { received, knownFrom } of alive) {
      const first = received.length > 0 ? events.indexOf(received[0]) : events.length;
      assert.ok(first <= knownFrom, `seed ${seed}: begins with ${first}, connected at ${knownFrom}`);
      assert.deepEqual(received, events.slice(first), `seed ${seed}`);
    }
    tabsSeen += alive.length;
  }
  assert.ok(tabsSeen > SEEDS, `${tabsSeen} tabs`);
});

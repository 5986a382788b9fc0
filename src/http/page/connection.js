// The line that says whether the page is live, and which parts behind the server are.

import { announce } from './announcement.js';
import { inWords } from './request.js';

export const CONNECTION_WORDS = {
  connecting: 'Connecting…',
  live: 'Live',
  reconnecting: 'Reconnecting…',
  stalled: 'Stalled',
  closed: 'Not connected',
};
// What tells of each step as it comes; all others tell the outcome.
const LIVE_SOURCES = ['memory', 'redis'];

const OFFLINE_WORDS = 'This device is offline. The page goes on as soon as it is back.';

const stateLine = document.getElementById('connection-state');
const heartbeatLine = document.getElementById('heartbeat');
const holderLine = document.getElementById('holder');
const sourceList = document.getElementById('sources');
const notice = document.getElementById('notice');
const sources = new Map();
let connection = { state: 'connecting' };
let lastSignAt;
let holdsConnection = () => true;

/** Shows the connection; `holds` says whether it is this tab's own. */
export function startConnection({ holds }) {
  holdsConnection = holds;
  setInterval(showLastSign, 1_000);
}

export function noteSignOfLife() {
  lastSignAt = Date.now();
  showLastSign();
}

export function showConnection(state, { reason, problem }) {
  tellOfChange(connection.state, state);
  connection = { state, reason, problem };
  stateLine.dataset.state = state;
  stateLine.textContent = CONNECTION_WORDS[state];
  // A source's state is only as fresh as the connection that told it.
  if (state !== 'live' && state !== 'stalled') sources.clear();
  if (state === 'closed' || state === 'connecting') lastSignAt = undefined;
  showSources();
  showLastSign();
  showNotice();
}

export function showSource({ source, state }) {
  sources.set(source, state);
  showSources();
  showNotice();
}

function showLastSign() {
  const seconds = Math.max(0, Math.round((Date.now() - lastSignAt) / 1_000));
  heartbeatLine.textContent = lastSignAt ? `last heartbeat ${seconds} s ago` : '';
  holderLine.textContent = lastSignAt ? holderInWords() : '';
}

function holderInWords() {
  return holdsConnection() ? 'through this tab' : 'through another tab';
}

// Only what a person would wonder about: a connection that is lost, and one that is back.
function tellOfChange(from, to) {
  const isLost = to === 'stalled' || (to === 'reconnecting' && from === 'live');
  if (isLost) announce('connection', 'Connection lost.');
  if (to === 'live' && from !== 'connecting') announce('connection', 'Connected again.');
  if (to === 'closed') announce('connection', 'Not connected.');
}

function showSources() {
  const nodes = [...sources].map(([source, state]) => {
    const node = document.createElement('li');
    node.className = 'source';
    Object.assign(node.dataset, { source, state });
    node.textContent = `${source}: ${state}`;
    return node;
  });
  sourceList.replaceChildren(...nodes);
}

function showNotice() {
  const words = connectionNotice() || sourceNotice();
  notice.classList.toggle('bad', connection.state === 'closed');
  notice.textContent = words;
  notice.hidden = !words;
}

function connectionNotice() {
  const { state, reason, problem } = connection;
  if (problem) return inWords(problem);
  if (reason === 'cut') return '';
  if (state === 'stalled') return 'Nothing has been heard from the server for a while. Trying again shortly.';
  if (state === 'reconnecting' && !navigator.onLine) return OFFLINE_WORDS;
  if (reason === 'overloaded') return 'The server is busy. The page comes back by itself.';
  return '';
}

function sourceNotice() {
  const down = [...sources].filter(([, state]) => state === 'down').map(([source]) => source);
  if (down.length === 0) return '';
  if (down.length > 1) return 'Updates are delayed. They come as soon as the service has recovered.';
  return LIVE_SOURCES.includes(down[0])
    ? 'Live updates are delayed, the outcome still comes.'
    : 'The outcome may be told late, live updates still come.';
}

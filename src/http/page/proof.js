// Shows that a cut connection costs nothing: all the log holds is compared with what the page was handed.

import { followDocuments } from '/tidings.js';
import { announce } from './announcement.js';
import { currentToken } from './request.js';

const BUTTON_WORDS = 'Cut the connection';
const CUT_MS = 3_000;
const LONGEST_WAIT_MS = 30_000;

const button = document.getElementById('cut');
const place = document.getElementById('proof');
/** Who waits for the page's own next heartbeat. */
const heard = new Set();
let received = [];
/** The cursor of the first snapshot: what lies before it was never to come. */
let start;
let cut;

/** Offers the cut; `cutStream` drops the connection for so many milliseconds. */
export function startProof({ cutStream }) {
  button.addEventListener('click', () => {
    if (cut) return;
    cut = { at: Date.now(), received: received.length };
    showCut();
    cutStream(CUT_MS);
  });
}

export function receivedIds() {
  return received;
}

/** Begins anew, with another patient or behind a gap. */
export function forgetReceived() {
  received = [];
  start = undefined;
  if (cut) cut.received = 0;
}

export function noteReceived(type, data, id) {
  if (type === 'heartbeat') heard.forEach((resolve) => resolve());
  if (type === 'connected') {
    if (data.gap) forgetReceived();
    start ??= id;
  }
  if (data.event_id) received.push(data.event_id);
}

/** The connection is there again: proves that nothing is missing. */
export async function proveAfterCut(patientId) {
  if (!cut || cut.isProving) return;
  cut.isProving = true;
  const away = ((Date.now() - cut.at) / 1_000).toFixed(1);
  try {
    const entries = await replay(patientId);
    // What the replay brought last may still be on its way to the page.
    await inTime((resolve) => heard.add(resolve));
    const proof = compare(entries, away);
    show(inWords(proof), proof.lost + proof.doubled > 0 ? 'bad' : 'good');
  } catch (words) {
    show(`The comparison did not come about. ${words}`, 'bad');
  }
  cut = undefined;
  button.textContent = BUTTON_WORDS;
}

function showCut() {
  button.textContent = 'Connection is cut…';
  show(`Cut for ${CUT_MS / 1_000} seconds. What happens meanwhile is not lost.`, 'cut');
}

function show(words, state) {
  place.textContent = words;
  place.dataset.state = state;
  place.hidden = false;
  announce('proof', words);
}

/** All events of the log, over a stream of its own. A heartbeat says that the replay is over. */
async function replay(patientId) {
  const entries = [];
  let stream;
  const over = inTime((resolve, reject) => {
    stream = followDocuments({
      patientId,
      token: currentToken(),
      follow: true,
      share: false,
      lastEventId: 'earliest',
      onEvent: (type, { event_id }, id) => event_id && entries.push({ eventId: event_id, id }),
      onHeartbeat: resolve,
      onState: (state, { problem }) => state === 'closed' && reject(problem?.title ?? ''),
    });
  });
  await over.finally(() => stream.close());
  return entries;
}

async function inTime(begin) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject('The server did not answer in time.'), LONGEST_WAIT_MS);
  });
  await Promise.race([new Promise(begin), late]).finally(() => clearTimeout(timer));
  heard.clear();
}

function compare(entries, away) {
  const begin = entries.findIndex(({ id }) => id === start?.split('~')[0]);
  const due = entries.slice(begin + 1);
  const had = new Set(received);
  const lost = due.filter(({ eventId }) => !had.has(eventId)).length;
  const doubled = received.length - had.size;
  return { lost, doubled, away, meanwhile: received.length - cut.received };
}

function inWords({ lost, doubled, away, meanwhile }) {
  const came = meanwhile === 1 ? '1 event' : `${meanwhile} events`;
  return `Back after ${away} s. ${came} since the cut: lost ${lost}, doubled ${doubled}.`;
}

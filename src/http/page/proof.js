// Shows that a cut connection costs nothing: all the log holds is compared with what the page was handed.

import { followDocuments } from '/tidings.js';
import { CutProof, inTime } from './cut_proof.js';
import { followedPatient } from './patient.js';
import { currentToken } from './request.js';

const proof = new CutProof({
  button: document.getElementById('cut'),
  place: document.getElementById('proof'),
  noun: 'event',
  meanwhile: 'happens',
  read: () => replay(followedPatient()),
  compare,
  count: () => received.length,
});
let received = [];
/** The cursor of the first snapshot: what lies before it was never to come. */
let start;

/** Offers the cut; `cutStream` drops the connection for so many milliseconds. */
export function startProof({ cutStream }) {
  proof.offer(cutStream);
}

export function receivedIds() {
  return received;
}

/** Begins anew, with another patient. */
export function forgetReceived() {
  beginAnew();
  proof.forget();
}

export function noteReceived(type, data, id) {
  if (type === 'heartbeat') proof.noteBeat();
  if (type === 'connected') {
    if (data.gap) beginAnew();
    start ??= id;
  }
  if (data.event_id) received.push(data.event_id);
}

/** The connection is there again: proves that nothing is missing. */
export function proveAfterCut() {
  proof.prove();
}

function beginAnew() {
  received = [];
  start = undefined;
  proof.countAnew();
}

/** All events of the log, over a stream of its own. A heartbeat says that the replay is over. */
function replay(patientId) {
  const entries = [];
  let stream;
  const over = new Promise((resolve, reject) => {
    stream = followDocuments({
      patientId,
      token: currentToken(),
      follow: true,
      share: false,
      lastEventId: 'earliest',
      onEvent: (type, { event_id }, id) => event_id && entries.push({ eventId: event_id, id }),
      onHeartbeat: () => resolve(entries),
      onState: (state, { problem }) => state === 'closed' && reject(problem?.title ?? ''),
    });
  });
  return inTime(over).finally(() => stream.close());
}

function compare(entries) {
  const begin = entries.findIndex(({ id }) => id === start?.split('~')[0]);
  const due = entries.slice(begin + 1);
  const had = new Set(received);
  const lost = due.filter(({ eventId }) => !had.has(eventId)).length;
  return { lost, doubled: received.length - had.size };
}

// Shows that a cut connection costs a conversation nothing: what the server holds is compared with what is shown.

import { followChat } from '/tidings.js';
import { followedCase } from './case.js';
import { CutProof, inTime } from './cut_proof.js';
import { countDoubled, currentTranscript } from './message_list.js';
import { currentToken } from './request.js';
import { compare } from './transcript.js';

const proof = new CutProof({
  button: document.getElementById('chat-cut'),
  place: document.getElementById('chat-proof'),
  noun: 'message',
  meanwhile: 'is said',
  read: () => snapshotOf(followedCase()),
  compare: (snapshot) => ({ lost: compare(currentTranscript(), snapshot), doubled: countDoubled() }),
  count: storedCount,
});

/** Offers the cut; `cutStream` drops the connection for so many milliseconds. */
export function startTalkProof({ cutStream }) {
  proof.offer(cutStream);
}

/** The case is another one. */
export function forgetTalkProof() {
  proof.forget();
}

export function noteBeat() {
  proof.noteBeat();
}

/** The connection is there again: proves that nothing is missing. */
export function proveTalk() {
  proof.prove();
}

/** The snapshot of a stream of its own, as a page that has just been opened is given it. */
function snapshotOf(caseId) {
  let stream;
  const snapshot = new Promise((resolve, reject) => {
    stream = followChat({
      caseId,
      token: currentToken(),
      share: false,
      onConnected: resolve,
      onState: (state, { problem }) => state === 'closed' && reject(problem?.title ?? ''),
    });
  });
  return inTime(snapshot).finally(() => stream.close());
}

function storedCount() {
  return [...currentTranscript().items.values()].filter(({ state, isNote }) => state === 'stored' && !isNote).length;
}

// Shows that a cut connection costs a conversation nothing: what the server holds is compared with what is shown.

import { followChat } from '/tidings.js';
import { announce } from './announcement.js';
import { followedCase } from './case.js';
import { countDoubled, currentTranscript } from './message_list.js';
import { currentToken } from './request.js';
import { compare } from './transcript.js';

const BUTTON_WORDS = 'Cut the connection';
const CUT_MS = 3_000;
const LONGEST_WAIT_MS = 30_000;

const button = document.getElementById('chat-cut');
const place = document.getElementById('chat-proof');
let cut;
let beat = () => {};

/** Offers the cut; `cutStream` drops the connection for so many milliseconds. */
export function startTalkProof({ cutStream }) {
  button.addEventListener('click', () => {
    if (cut) return;
    cut = { at: Date.now(), known: storedCount() };
    button.textContent = 'Connection is cut…';
    show(`Cut for ${CUT_MS / 1_000} seconds. What is said meanwhile is not lost.`, 'cut');
    cutStream(CUT_MS);
  });
}

export function noteBeat() {
  beat();
}

/** The connection is there again: proves that nothing is missing. */
export async function proveTalk() {
  if (!cut || cut.isProving) return;
  cut.isProving = true;
  const away = ((Date.now() - cut.at) / 1_000).toFixed(1);
  try {
    const snapshot = await inTime(snapshotOf(followedCase()));
    // What the server told last may still be on its way to the page.
    await inTime({ done: new Promise((resolve) => (beat = resolve)) });
    const [lost, doubled] = [compare(currentTranscript(), snapshot), countDoubled()];
    const count = storedCount() - cut.known;
    const came = count === 1 ? '1 message' : `${count} messages`;
    const words = `Back after ${away} s. ${came} since the cut: lost ${lost}, doubled ${doubled}.`;
    show(words, lost + doubled > 0 ? 'bad' : 'good');
  } catch (words) {
    show(`The comparison did not come about. ${words}`, 'bad');
  }
  cut = undefined;
  button.textContent = BUTTON_WORDS;
}

/** The snapshot of a stream of its own, as a page that has just been opened is given it. */
function snapshotOf(caseId) {
  let stream;
  const done = new Promise((resolve, reject) => {
    stream = followChat({
      caseId,
      token: currentToken(),
      share: false,
      onConnected: resolve,
      onState: (state, { problem }) => state === 'closed' && reject(problem?.title ?? ''),
    });
  });
  return { done, end: () => stream.close() };
}

async function inTime({ done, end = () => {} }) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject('The server did not answer in time.'), LONGEST_WAIT_MS);
  });
  return Promise.race([done, late]).finally(() => {
    clearTimeout(timer);
    end();
  });
}

function storedCount() {
  return [...currentTranscript().items.values()].filter(({ state, isNote }) => state === 'stored' && !isNote).length;
}

function show(words, state) {
  place.textContent = words;
  place.dataset.state = state;
  place.hidden = false;
  announce('chat-proof', words);
}

// What a screen reader says of its own accord: seldom, and never more than is news.

const BETWEEN_MS = 1_000;
/** More sentences than these are only noise; the newest say it all. */
const MOST_AT_ONCE = 3;

const place = document.getElementById('announcement');
/** Topic to sentence: a newer sentence of a topic replaces one that has not been said yet. */
const waiting = new Map();
let timer;

/** Says a sentence politely, together with what else there is, once a second at most. */
export function announce(topic, sentence) {
  waiting.delete(topic);
  waiting.set(topic, sentence);
  timer ??= setTimeout(say, BETWEEN_MS);
}

function say() {
  timer = undefined;
  const words = [...waiting.values()].slice(-MOST_AT_ONCE).join(' ');
  waiting.clear();
  if (words && words !== place.textContent) place.textContent = words;
}

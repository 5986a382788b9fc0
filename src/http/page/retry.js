// Failed documents that are tried again, as the next attempt.

import { announce } from './announcement.js';
import { cards, showCard } from './list.js';
import { applyOutcome } from './progress.js';
import { inWords, postJson } from './request.js';

/** Takes the clicks on all buttons that try a document again. */
export function startRetries() {
  document.getElementById('cards').addEventListener('click', ({ target }) => {
    const button = target.closest('.retry');
    const card = button && cards().find(({ node }) => node.contains(button));
    if (card && !card.isRetried) retry(card, button);
  });
}

async function retry(card, button) {
  Object.assign(card, { isRetried: true, problem: '' });
  // The button goes with the first event, which may come before the answer.
  const hadFocus = document.activeElement === button;
  if (hadFocus) card.node.querySelector('.filename').focus();
  showCard(card);
  try {
    const path = `/api/v1/documents/${encodeURIComponent(card.key)}/retry`;
    begin(card, await postJson(path, {}));
  } catch (problem) {
    // Tried again by somebody else: the stream tells of it.
    if (problem.status !== 409) card.problem = inWords(problem);
    if (card.problem) announce(card, card.problem);
  }
  card.isRetried = false;
  showCard(card);
  if (card.problem && hadFocus) button.focus();
}

// Events may have told more than the answer already.
function begin(card, { attempt, status }) {
  applyOutcome(card, { attempt, status });
  announce(card, `${card.filename || 'The document'} is tried again.`);
}

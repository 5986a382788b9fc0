// What is said here: messages, and that somebody is typing.

import { followedCase } from './case.js';
import { currentTranscript, showMessages, standFor } from './message_list.js';
import { currentToken, inWords, postJson } from './request.js';

const TYPING_EVERY_MS = 2_500;
/** Tells this tab's own events from those of others. */
export const CLIENT = crypto.randomUUID?.() ?? String(Math.random());

const form = document.getElementById('compose');
const field = document.getElementById('message');
const speaker = document.getElementById('speaker');
const problem = document.getElementById('compose-problem');
let draft;
let typedAt = 0;
let hasJoined = false;

export function startCompose() {
  // A token names the part its holder plays.
  document.getElementById('speaker-field').hidden = Boolean(currentToken());
  standFor(ownRole());
  speaker.addEventListener('change', changeSpeaker);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    send();
  });
  field.addEventListener('keydown', sendOnEnter);
  field.addEventListener('input', tellTyping);
}

/** Another case begins with nothing said. */
export function forgetDraft() {
  draft = undefined;
  hasJoined = false;
  show('');
}

function ownRole() {
  return roleOf(currentToken()) ?? speaker.value;
}

function roleOf(token) {
  try {
    const claims = atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/'));
    return JSON.parse(claims).role ?? 'patient';
  } catch {
    return undefined;
  }
}

function changeSpeaker() {
  standFor(ownRole());
  if (ownRole() === 'patient' || hasJoined) return;
  hasJoined = true;
  // For services only, where they have a key: then nobody is told.
  publish('agent_joined', { role: ownRole(), name: speaker.selectedOptions[0].text }).catch(() => {});
}

function sendOnEnter(event) {
  // Enter also ends the choice of a character in some languages.
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  form.requestSubmit();
}

async function send() {
  const content = field.value.trim();
  if (!content) return field.focus();
  const caseId = followedCase();
  // The same words again after a failure are the same message: it is kept once.
  const isAgain = draft?.content === content && draft.caseId === caseId;
  draft = isAgain ? draft : { id: newId(), content, role: ownRole(), caseId };
  const { id, role } = draft;
  field.value = '';
  typedAt = 0;
  show('');
  currentTranscript().takeDraft({ id, content, role });
  showMessages();
  try {
    const kept = await postJson(`/api/v1/cases/${caseId}/messages`, { id, content, ...asked(role) });
    if (caseId !== followedCase()) return;
    currentTranscript().takeMessage(kept);
    draft = undefined;
  } catch (refused) {
    // The answer may have been lost, and the message not.
    const isKept = currentTranscript().items.get(id)?.state === 'stored';
    if (caseId !== followedCase() || isKept) return;
    currentTranscript().dropDraft(id);
    field.value ||= content;
    show(inWords(refused));
  }
  showMessages();
}

// Where there is a token, it says in which role.
function asked(role) {
  return currentToken() ? {} : { role };
}

function tellTyping() {
  if (!field.value.trim() || Date.now() - typedAt < TYPING_EVERY_MS) return;
  typedAt = Date.now();
  publish('typing', { role: ownRole(), client: CLIENT }).catch(() => {});
}

function publish(type, data) {
  return postJson(`/api/v1/streams/chat/${followedCase()}/events`, { type, data });
}

function show(words) {
  problem.textContent = words;
  problem.hidden = !words;
}

function newId() {
  return crypto.randomUUID?.() ?? `m-${Date.now()}-${Math.random().toString(36).slice(2)}`;
}

// The conversation of a case: what comes of it, and how its connection does.

import { followChat } from '/tidings.js';
import { announce } from './announcement.js';
import { followedCase } from './case.js';
import { CLIENT, forgetDraft, startCompose } from './compose.js';
import { CONNECTION_WORDS } from './connection.js';
import { currentTranscript, forgetMessages, nameOf, rememberName, showMessage, showMessages } from './message_list.js';
import { currentToken, inWords, keepToken } from './request.js';
import { forgetTalkProof, noteBeat, proveTalk, startTalkProof } from './talk_proof.js';

const TYPING_LASTS_MS = 4_000;
/** An answer is taken up by another server within half a minute, if at all. */
const SILENT_AFTER_MS = 40_000;
const LONGEST_ANNOUNCED = 140;

const panel = document.getElementById('conversation');
const stateLine = document.getElementById('chat-state');
const notice = document.getElementById('chat-notice');
const typingLine = document.getElementById('typing');
let stream;
let shownCase;
let typingTimer;
const downSources = new Set();

/** Follows the conversation of the case, once there is one. */
export function startConversation() {
  startCompose();
  startTalkProof({ cutStream: (duration) => stream.reconnect(duration) });
  setInterval(breakSilent, 1_000);
  open();
}

/** The case may be another one. */
export function changeConversation() {
  if (followedCase() === shownCase) return;
  forgetMessages();
  forgetDraft();
  forgetTalkProof();
  showTyping('');
  open();
}

function open() {
  stream?.close();
  shownCase = followedCase();
  panel.hidden = !shownCase;
  if (!shownCase) return;
  stream = followChat({
    caseId: shownCase,
    token: currentToken(),
    onConnected: applySnapshot,
    onMessage: addMessage,
    onToken: addPiece,
    onAnswerDone: ({ message_id }) => endAnswer(message_id),
    onAgentJoined: noteAgent,
    onTyping: noteTyping,
    onSource: showSource,
    onHeartbeat: noteBeat,
    onState: showState,
    onTokenRenewed: keepToken,
  });
}

function applySnapshot(snapshot) {
  currentTranscript().takeSnapshot(snapshot);
  showMessages();
}

function addMessage(message) {
  const item = currentTranscript().takeMessage(message);
  showMessages();
  hideTyping(message.role);
  // What becomes of documents is said where they stand.
  if (!item.isOwn && item.role !== 'system') announce('message', `${nameOf(item)}: ${shortened(item.content)}`);
}

// Pieces are shown as they come, and never said: the message at the end is.
function addPiece(piece) {
  const item = currentTranscript().takePiece(piece);
  if (!item) return;
  showMessage(item);
  hideTyping(item.role);
}

function endAnswer(id) {
  const item = currentTranscript().endAnswer(id);
  if (item) showMessage(item);
}

function breakSilent() {
  for (const item of currentTranscript().breakSilent(SILENT_AFTER_MS)) showMessage(item);
}

function noteAgent(agent) {
  rememberName(agent);
  const words = `${nameOf({ ...agent, sender: agent })} joined the conversation.`;
  currentTranscript().takeNote(words);
  showMessages();
  announce('agent', words);
}

function noteTyping(data) {
  if (data.client === CLIENT) return;
  rememberName(data);
  showTyping(nameOf({ ...data, sender: data }), data.role);
}

function showTyping(name, role = '') {
  clearTimeout(typingTimer);
  typingLine.textContent = name && `${name} is typing…`;
  typingLine.dataset.role = role;
  if (name) typingTimer = setTimeout(() => showTyping(''), TYPING_LASTS_MS);
}

function hideTyping(role) {
  if (typingLine.dataset.role === role) showTyping('');
}

function showState(state, { problem }) {
  stateLine.dataset.state = state;
  stateLine.textContent = CONNECTION_WORDS[state];
  if (state !== 'live') downSources.clear();
  showNotice(problem && inWords(problem), state === 'closed');
  if (state === 'live') proveTalk();
}

function showSource({ source, state }) {
  if (state === 'down') downSources.add(source);
  else downSources.delete(source);
  showNotice(downSources.size > 0 && 'Messages come with a delay of some seconds at the moment. None is lost.');
}

function showNotice(words, isBad = false) {
  notice.classList.toggle('bad', isBad);
  notice.textContent = words || '';
  notice.hidden = !words;
}

function shortened(text) {
  return text.length > LONGEST_ANNOUNCED ? `${text.slice(0, LONGEST_ANNOUNCED)}…` : text;
}

import { followDocuments } from '/tidings.js';
import { appendToLog } from './log.js';
import { cardFor, cards, forgetCards, onNews, showCard, showFinished, showSummary } from './list.js';
import { changeConversation, startConversation } from './conversation.js';
import { noteSignOfLife, showConnection, showSource, startConnection } from './connection.js';
import { forgetReceived, noteReceived, proveAfterCut, receivedIds, startProof } from './proof.js';
import { startUploads, showProblems } from './upload.js';
import { startRetries } from './retry.js';
import { startCase } from './case.js';
import { changeChecklist, refreshChecklist } from './checklist.js';
import { applyOutcome, applyProgress, isSettled, restartIfOtherAttempt } from './progress.js';
import { followedPatient, startPatient } from './patient.js';
import { currentToken, keepToken } from './request.js';

let stream;
let uploadToken = '';

// For whoever looks into the page from its console.
window.tidings = {
  repeats: 0,
  get received() {
    return receivedIds();
  },
};

startConnection({ holds: () => stream?.leads ?? true });
startProof({ cutStream: (duration) => stream.reconnect(duration) });
startPatient(changePatient);
startUploads({ onConfirmed: watchWith });
startRetries();
startCase(changeCase);
onNews(refreshChecklist);
startConversation();
openStream();

function changeCase() {
  changeChecklist();
  changeConversation();
}

function changePatient() {
  forgetCards(() => true);
  showProblems([]);
  showFinished(false);
  forgetReceived();
  openStream();
}

// One stream for all documents of the patient: a browser allows six connections to a host over all tabs.
function openStream() {
  stream?.close();
  stream = followDocuments({
    patientId: followedPatient(),
    token: currentToken(),
    follow: true,
    onConnected: applyConnected,
    onProgress: (event) => change(event, applyProgress),
    onDocumentUpdate: (update) => change(update, applyOutcome),
    onSource: showSource,
    onDone: receiveDone,
    onState: changeState,
    onEvent: noteEvent,
    onRepeat: () => (window.tidings.repeats += 1),
    onTokenRenewed: keepToken,
  });
}

function noteEvent(type, data, id) {
  noteReceived(type, data, id);
  if (type === 'heartbeat' || type === 'connected') noteSignOfLife();
  appendToLog(type, data, id);
}

function applyConnected({ documents = [], gap }) {
  if (gap) forgetUnlisted(documents);
  // Newest first, as in the list; each new card goes on top.
  for (const entry of [...documents].reverse()) {
    const card = cardFor(entry.document_id, entry.filename);
    if (gap) restartIfOtherAttempt(card, entry);
    applyOutcome(card, entry);
    showCard(card);
  }
  showSummary();
  refreshChecklist();
}

function forgetUnlisted(documents) {
  const listed = new Set(documents.map((entry) => entry.document_id));
  forgetCards((card) => !listed.has(card.key) && !card.file);
}

function change(told, apply) {
  const card = cardFor(told.document_id, told.filename);
  apply(card, told);
  showCard(card);
}

function receiveDone({ documents = [] }) {
  for (const entry of documents) change(entry, applyOutcome);
  showFinished(cards().length > 0 && cards().every(isSettled));
}

function changeState(state, info) {
  showConnection(state, info);
  if (state === 'live') proveAfterCut();
  if (state === 'closed' && info.reason === 'refused') openWithUploadToken();
}

// The stream of the page already covers the new document, unless it was refused for want of a token.
function watchWith(given) {
  uploadToken = given ?? '';
  if (stream.state === 'closed') openWithUploadToken();
}

function openWithUploadToken() {
  if (!uploadToken) return;
  keepToken(uploadToken);
  uploadToken = '';
  openStream();
}

import { followDocuments } from '/tidings.js';
import { appendToLog } from './log.js';
import { cardFor, cards, forgetCards, showCard, showFinished, showSummary } from './list.js';
import { noteSignOfLife, showConnection, showSource, startConnection } from './connection.js';
import { startUploads, showProblems } from './upload.js';
import { applyOutcome, applyProgress, isSettled, restartIfOtherAttempt } from './progress.js';
import { followedPatient, startPatient } from './patient.js';
import { currentToken, keepToken } from './request.js';

let stream;
let uploadToken = '';

window.tidings = { received: [], doubled: 0 };

startConnection();
startPatient(changePatient);
startUploads({ onConfirmed: watchWith });
openStream();

function changePatient() {
  forgetCards(() => true);
  showProblems([]);
  showFinished(false);
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
    onRepeat: () => (window.tidings.doubled += 1),
    onTokenRenewed: keepToken,
  });
}

function noteEvent(type, data, id) {
  if (data.event_id) window.tidings.received.push(data.event_id);
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

// Uploads: files are announced, put where the answer says, and confirmed.

import { chosenProcedure, focusCase, settleCase } from './case.js';
import { caseForUploads } from './conversation.js';
import { addCard, rekeyCard, showCard } from './list.js';
import { focusPatient, followedPatient, lockPatient, settlePatient } from './patient.js';
import { applyOutcome, freshAttempt } from './progress.js';
import { inWords, postJson } from './request.js';

const CONTENT_TYPES = { pdf: 'application/pdf' };
const LARGEST_FILE_BYTES = 25 * 1024 * 1024;
const PARALLEL_UPLOADS = 2;
// What the same file will be refused with again.
const LASTING_REFUSALS = [400, 413, 415, 422];

const problems = document.getElementById('problems');
const waiting = [];
let running = 0;
let confirmed = () => {};

/** Takes files from the field and from drops; tells of the token each confirmed upload is given. */
export function startUploads({ onConfirmed }) {
  confirmed = onConfirmed;
  document.getElementById('file-input').addEventListener('change', takeChosenFiles);
  acceptDrops(document.getElementById('drop'));
}

export function showProblems(lines) {
  const nodes = lines.map((line) => {
    const node = document.createElement('li');
    node.textContent = line;
    return node;
  });
  problems.replaceChildren(...nodes);
  problems.hidden = nodes.length === 0;
}

function takeChosenFiles({ target }) {
  takeFiles([...target.files]);
  // Emptied so that choosing the same file again is a change.
  target.value = '';
}

function acceptDrops(zone) {
  const mark = (over) => zone.classList.toggle('over', over);
  // A file dropped beside the zone must not replace the page.
  window.addEventListener('dragover', (event) => event.preventDefault());
  window.addEventListener('drop', (event) => event.preventDefault());
  zone.addEventListener('dragover', () => mark(true));
  zone.addEventListener('dragleave', () => mark(false));
  zone.addEventListener('drop', (event) => {
    mark(false);
    takeFiles([...event.dataTransfer.files]);
  });
}

function takeFiles(files) {
  // A drop leaves the focus in the field, so its change has not been told yet.
  if (!settlePatient()) return focusPatient();
  if (!settleCase()) return focusCase();
  showProblems(files.map(refusalOf).filter(Boolean));
  for (const file of files.filter((candidate) => !refusalOf(candidate))) {
    const card = addCard(Symbol(file.name), file.name);
    Object.assign(card, { file, caseId: caseForUploads(), procedure: chosenProcedure() });
    card.node.querySelector('.again').addEventListener('click', () => uploadAgain(card));
    queueUpload(card);
  }
}

function refusalOf(file) {
  if (!contentTypeOf(file)) return `${file.name}: only PDF files can be read.`;
  if (file.size === 0) return `${file.name}: the file is empty.`;
  if (file.size > LARGEST_FILE_BYTES) return `${file.name}: the file is larger than 25 MB.`;
  return '';
}

function contentTypeOf({ name }) {
  return CONTENT_TYPES[name.split('.').pop().toLowerCase()];
}

function uploadAgain(card) {
  // The button that had the focus is about to go.
  card.node.querySelector('.filename').focus();
  queueUpload(card);
}

function queueUpload(card) {
  Object.assign(card, freshAttempt(1), { status: 'uploading', uploadPercent: 0 });
  waiting.push(card);
  showCard(card);
  uploadWaiting();
}

function uploadWaiting() {
  while (running < PARALLEL_UPLOADS && waiting.length > 0) {
    running += 1;
    upload(waiting.shift()).finally(() => {
      running -= 1;
      uploadWaiting();
    });
  }
  lockPatient(running > 0);
}

async function upload(card) {
  try {
    const place = await presign(card);
    rekeyCard(card, place.document_id);
    showCard(card);
    await sendFile(card, place);
    const answer = await postJson('/api/v1/uploads/confirm', { document_id: place.document_id });
    // Events may have told more than the answer already.
    if (card.status === 'uploading') applyOutcome(card, { status: answer.status });
    confirmed(answer.token);
  } catch (problem) {
    // Events that came all the same show that the document arrived.
    if (card.status === 'uploading') fail(card, problem);
  }
  showCard(card);
}

function fail(card, problem) {
  const retryable = !LASTING_REFUSALS.includes(problem.status);
  Object.assign(card, { status: 'upload_failed', failedStep: 0, reason: inWords(problem), retryable });
}

function presign({ file, caseId, procedure }) {
  return postJson('/api/v1/uploads/presign', {
    patient_id: followedPatient(),
    filename: file.name,
    content_type: contentTypeOf(file),
    size: file.size,
    ...(caseId && { case_id: caseId }),
    ...(procedure && { procedure_code: procedure }),
  });
}

// XMLHttpRequest, because fetch does not tell how much of a body was sent.
function sendFile(card, { upload_url, method = 'PUT', headers = {} }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, upload_url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => showSent(card, (100 * loaded) / total);
    request.onload = () => (request.status < 300 ? resolve() : reject(sendingProblem(request)));
    request.onerror = () => reject(unsent(upload_url));
    request.send(card.file);
  });
}

function showSent(card, percent) {
  card.uploadPercent = percent;
  if (card.status === 'uploading') showCard(card);
}

// A browser does not tell a storage that is away from one that does not let this page in.
function unsent(url) {
  const isElsewhere = new URL(url, location.href).origin !== location.origin;
  const detail = isElsewhere
    ? 'The storage could not be reached, or does not take files from this page.'
    : 'The connection was lost.';
  return { title: 'The file could not be sent', detail };
}

function sendingProblem({ status, responseText }) {
  try {
    const { title, detail } = JSON.parse(responseText);
    if (title) return { title, detail };
  } catch {
    // A storage service answers in XML.
  }
  return { title: 'The file could not be stored', detail: `The storage answered ${status}.` };
}

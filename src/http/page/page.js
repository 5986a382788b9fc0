import { followDocuments, readProblem } from '/tidings.js';

const STEPS = [
  { stage: 'upload_received', name: 'Document received', completes: true, status: 'uploaded' },
  { stage: 'ocr_started', name: 'Reading your document', completes: false, status: 'ocr_processing' },
  { stage: 'ocr_complete', name: 'Document read', completes: true, status: 'ocr_complete' },
  { stage: 'analysis_started', name: 'Understanding the content', completes: false, status: 'analyzing' },
  { stage: 'analysis_complete', name: 'Content understood', completes: true, status: 'analyzed' },
  { stage: 'matching_complete', name: 'Matched to your case', completes: true, status: 'complete' },
];
const LAST_STEP = STEPS.length - 1;

const STATUS_WORDS = {
  uploading: 'Uploading',
  upload_failed: 'Not uploaded',
  uploaded: 'Received',
  ocr_processing: 'Reading',
  ocr_complete: 'Read',
  analyzing: 'Understanding',
  analyzed: 'Understood',
  complete: 'Complete',
  failed: 'Failed',
};
const STEP_STATE_WORDS = { waiting: 'waiting', active: 'under way', done: 'done', failed: 'failed' };
const CONNECTION_WORDS = {
  connecting: 'Connecting…',
  live: 'Live',
  reconnecting: 'Reconnecting…',
  stalled: 'Stalled',
  closed: 'Not connected',
};
const REASON_WORDS = {
  encrypted: 'The file is protected by a password. Remove the password and upload it again.',
  unreadable: 'The file could not be opened. It may be damaged: please upload a fresh copy.',
  not_a_pdf: 'The file is not what its name says. Please upload a real PDF, PNG or JPG.',
  no_pages: 'The document has no pages.',
  too_complex: 'The document is too complex to be read automatically. Fewer pages at a time may help.',
  needs_ocr: 'The document is a picture without text, and text recognition is not available here.',
  file_missing: 'The uploaded file is no longer there. Please upload it again.',
  worker_silent: 'Processing stopped without an answer. Please upload the document again.',
  internal: 'Something went wrong on our side. Please upload the document again later.',
};

const CONTENT_TYPES = { pdf: 'application/pdf', png: 'image/png', jpg: 'image/jpeg', jpeg: 'image/jpeg' };
const LARGEST_FILE_BYTES = 25 * 1024 * 1024;
const PARALLEL_UPLOADS = 2;
const LOG_LINES = 200;
// What the same file will be refused with again.
const LASTING_REFUSALS = [400, 413, 415, 422];
const SUMMARY_DELAY_MS = 1_000;
const PATIENT_KEY = 'tidings.patient';
const TOKEN_KEY = 'tidings.token';

const element = (id) => document.getElementById(id);
const cards = new Map();
const sources = new Map();
const uploads = { waiting: [], running: 0 };
let stream;
let token = takeToken();
let uploadToken = '';
let followedPatient = '';
let connection = { state: 'connecting' };
let lastHeartbeatAt;
let summaryTimer;
let namesTimer;

window.tidings = { received: [], doubled: 0 };

start();

function start() {
  const field = element('patient-id');
  const stored = localStorage.getItem(PATIENT_KEY) ?? '';
  if (isId(stored)) field.value = stored;
  field.addEventListener('change', changePatient);
  element('file-input').addEventListener('change', takeChosenFiles);
  acceptDrops(element('drop'));
  setInterval(showHeartbeat, 1_000);
  if (!isId(field.value)) field.value = 'demo';
  openStream();
}

// A token in the fragment reaches the page without ever being sent in a request line or a referrer.
function takeToken() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const given = fragment.get('token');
  if (!given) return sessionStorage.getItem(TOKEN_KEY) ?? '';
  history.replaceState(null, '', location.pathname + location.search);
  return keepToken(given);
}

function keepToken(given) {
  sessionStorage.setItem(TOKEN_KEY, given);
  return given;
}

// ---- patient

function patientId() {
  return element('patient-id').value.trim();
}

// A browser folds "." and ".." out of any path, however they are escaped.
function isId(text) {
  return /^[A-Za-z0-9_.-]{1,128}$/.test(text) && text !== '.' && text !== '..';
}

function changePatient() {
  if (!showPatientValidity() || patientId() === followedPatient) return;
  localStorage.setItem(PATIENT_KEY, patientId());
  for (const key of [...cards.keys()]) removeCard(key);
  showProblems([]);
  showFinished(false);
  openStream();
}

function showPatientValidity() {
  const valid = isId(patientId());
  element('patient-id').setAttribute('aria-invalid', String(!valid));
  const words = 'Use 1 to 128 letters, digits and the signs _ - . (not “.” or “..” alone).';
  element('patient-error').textContent = valid ? '' : words;
  element('patient-error').hidden = valid;
  return valid;
}

// ---- stream

// One stream for all documents of the patient: a browser allows six connections to a host over all tabs.
function openStream() {
  stream?.close();
  followedPatient = patientId();
  stream = followDocuments({
    patientId: followedPatient,
    token,
    follow: true,
    onConnected: applyConnected,
    onProgress: receiveProgress,
    onDocumentUpdate: receiveUpdate,
    onSource: showSource,
    onDone: receiveDone,
    onState: showConnection,
    onEvent: noteEvent,
    onRepeat: () => (window.tidings.doubled += 1),
    onToken: (renewed) => (token = keepToken(renewed)),
  });
}

function noteEvent(type, data, id) {
  if (data.event_id) window.tidings.received.push(data.event_id);
  if (type === 'heartbeat' || type === 'connected') lastHeartbeatAt = Date.now();
  showHeartbeat();
  logLine(type, data, id);
}

function applyConnected({ documents = [], gap }) {
  if (gap) forgetUnlisted(documents);
  // Newest first, as in the list; each new card goes on top.
  for (const entry of [...documents].reverse()) {
    const card = cardFor(entry.document_id, entry.filename);
    if (gap) restartIfOtherAttempt(card, entry);
    applyOutcome(card, entry);
    render(card);
  }
  summarise();
}

function forgetUnlisted(documents) {
  const listed = new Set(documents.map((entry) => entry.document_id));
  for (const [key, card] of cards) {
    if (!listed.has(key) && !card.file) removeCard(key);
  }
}

// After a gap the server's attempt holds even if it is lower: it may have lost its memory.
function restartIfOtherAttempt(card, entry) {
  const attempt = entry.attempt ?? card.attempt;
  if (attempt !== card.attempt) Object.assign(card, freshAttempt(attempt));
}

function receiveProgress(event) {
  const card = cardFor(event.document_id, event.filename);
  applyProgress(card, event);
  render(card);
  summarise();
}

function receiveUpdate(update) {
  const card = cardFor(update.document_id, update.filename);
  applyOutcome(card, update);
  render(card);
  summarise();
}

function receiveDone({ documents = [] }) {
  documents.forEach(receiveUpdate);
  showFinished(allSettled());
}

function allSettled() {
  return cards.size > 0 && [...cards.values()].every(isSettled);
}

// ---- what is known of a document

function freshAttempt(attempt) {
  return {
    attempt,
    status: 'uploaded',
    percent: 0,
    furthest: -1,
    furthestDone: false,
    failedStep: -1,
    detail: '',
    reason: '',
    steps: STEPS.map(({ name }) => ({ name, at: null })),
  };
}

function entersAttempt(card, event) {
  const attempt = event.attempt ?? card.attempt;
  if (attempt > card.attempt) Object.assign(card, freshAttempt(attempt));
  return attempt === card.attempt;
}

function applyProgress(card, event) {
  const index = STEPS.findIndex(({ stage }) => stage === event.stage);
  if (index < 0 || !entersAttempt(card, event)) return;
  const status = event.status ?? (STEPS[index].completes ? 'completed' : 'started');
  const goesOn = index > card.furthest || (index === card.furthest && event.percent > card.percent);
  noteStep(card.steps[index], status, event);
  raisePercent(card, event.percent);
  // An event replayed after the snapshot fills in its time and changes nothing else.
  if (index >= card.furthest) card.detail = event.detail ?? '';
  if (status === 'failed') return fail(card, Math.max(index, card.furthest), reasonOf(event));
  if (card.status === 'failed') {
    if (!goesOn) return;
    reopen(card);
  }
  advance(card, index, status === 'completed');
}

function noteStep(step, status, { label, timestamp }) {
  if (label) step.name = label;
  const at = new Date(timestamp ?? Date.now());
  const settles = status === 'completed' || status === 'failed';
  if ((!step.at || settles) && !Number.isNaN(at.getTime())) step.at = at;
}

function raisePercent(card, percent) {
  if (Number.isFinite(percent)) card.percent = Math.min(100, Math.max(card.percent, percent));
}

function advance(card, index, completed) {
  if (index < card.furthest) return;
  card.furthestDone = completed || (index === card.furthest && card.furthestDone);
  card.furthest = index;
  if (rankOf(STEPS[index].status) > rankOf(card.status) && (completed || !STEPS[index].completes)) {
    card.status = STEPS[index].status;
  }
  if (card.status === 'complete') card.percent = 100;
}

/** A status from the store: of the snapshot, a `document_update`, a `done` or the answer to an upload. */
function applyOutcome(card, entry) {
  if (!entersAttempt(card, entry)) return;
  raisePercent(card, entry.percent);
  const told = STEPS.findIndex(({ stage }) => stage === entry.stage);
  if (told >= 0) advance(card, told, STEPS[told].completes);
  if (entry.status === 'failed') return fail(card, stepUnderWay(card), reasonOf(entry));
  const reached = STEPS.findIndex(({ status }) => status === entry.status);
  if (reached < 0) return;
  if (card.status === 'failed') reopen(card);
  advance(card, reached, STEPS[reached].completes);
  if (entry.updated_at && !card.steps[reached].at) card.steps[reached].at = new Date(entry.updated_at);
}

function fail(card, step, reason) {
  const known = card.status === 'failed';
  card.furthest = Math.max(card.furthest, step);
  card.furthestDone = false;
  card.failedStep = known ? card.failedStep : step;
  card.status = 'failed';
  card.reason = reason || card.reason;
  card.detail = '';
}

function reopen(card) {
  card.failedStep = -1;
  card.reason = '';
  card.status = STEPS[Math.max(0, card.furthest)].status;
}

function stepUnderWay({ furthest, furthestDone }) {
  return furthestDone ? Math.min(furthest + 1, LAST_STEP) : Math.max(furthest, 0);
}

function reasonOf({ reason, detail }) {
  return reason ?? detail ?? '';
}

function rankOf(status) {
  return STEPS.findIndex((step) => step.status === status);
}

function isSettled({ status }) {
  return ['complete', 'failed', 'upload_failed'].includes(status);
}

function stepState({ status, furthest, furthestDone, failedStep }, index) {
  if (index === failedStep) return 'failed';
  if (status === 'uploading') return index === 0 ? 'active' : 'waiting';
  if (index < furthest || (index === furthest && furthestDone)) return 'done';
  return index === furthest ? 'active' : 'waiting';
}

// ---- cards

function cardFor(documentId, filename) {
  const card = cards.get(documentId) ?? addCard(documentId, filename);
  if (filename) card.filename = filename;
  else if (!card.filename) askForNames();
  return card;
}

function addCard(key, filename = '') {
  const node = element('card-template').content.firstElementChild.cloneNode(true);
  node.querySelector('.steps').append(...STEPS.map(stepNode));
  const card = { key, filename, node, file: null, uploadPercent: 0, ...freshAttempt(1) };
  node.querySelector('.again').addEventListener('click', () => uploadAgain(card));
  cards.set(key, card);
  element('cards').prepend(node);
  return card;
}

function stepNode({ stage }) {
  const node = element('step-template').content.firstElementChild.cloneNode(true);
  node.dataset.stage = stage;
  return node;
}

// Until the server has given a document its id, the card goes by a symbol.
function isNumbered({ key }) {
  return typeof key === 'string';
}

function removeCard(key) {
  cards.get(key).node.remove();
  cards.delete(key);
  summarise();
}

function rekeyCard(card, key) {
  cards.delete(card.key);
  card.key = key;
  cards.set(key, card);
}

function render(card) {
  const { node, key, status, percent, attempt } = card;
  const title = card.filename || `Document ${key}`;
  Object.assign(node.dataset, { status, percent, attempt, phase: phaseOf(status) });
  if (isNumbered(card)) node.dataset.documentId = key;
  node.setAttribute('aria-label', title);
  setText(node, '.filename', title);
  setText(node, '.status', STATUS_WORDS[status] ?? status);
  setText(node, '.detail', card.detail);
  renderBar(card, title);
  renderFailure(card);
  [...node.querySelector('.steps').children].forEach((step, index) => renderStep(card, step, index));
  if (!isSettled(card)) showFinished(false);
}

function phaseOf(status) {
  if (status === 'uploading') return 'upload';
  if (status === 'complete') return 'complete';
  return status === 'failed' || status === 'upload_failed' ? 'failed' : 'active';
}

function renderBar({ node, status, percent, uploadPercent }, title) {
  const uploading = status === 'uploading' || status === 'upload_failed';
  const shown = Math.round(uploading ? uploadPercent : percent);
  const bar = node.querySelector('.bar');
  bar.setAttribute('aria-valuenow', String(shown));
  bar.setAttribute('aria-label', `${uploading ? 'Upload' : 'Progress'} of ${title}`);
  bar.firstElementChild.style.width = `${shown}%`;
  setText(node, '.percent', uploading ? `${shown} % sent` : `${shown} %`);
}

function renderFailure({ node, status, reason, retryable }) {
  const failed = phaseOf(status) === 'failed';
  node.querySelector('.failure').hidden = !failed;
  node.querySelector('.again').hidden = !(status === 'upload_failed' && retryable);
  if (failed) setText(node, '.reason', reasonInWords(reason));
}

function reasonInWords(reason) {
  if (!reason) return 'The document could not be processed.';
  if (Object.hasOwn(REASON_WORDS, reason)) return REASON_WORDS[reason];
  return /^[a-z0-9_]+$/.test(reason) ? `The document could not be processed (${reason}).` : reason;
}

function renderStep(card, node, index) {
  const { name, at } = card.steps[index];
  const state = stepState(card, index);
  const shownAt = state === 'waiting' ? null : at;
  node.dataset.state = state;
  setText(node, '.name', name);
  setText(node, '.state', STEP_STATE_WORDS[state]);
  setText(node, 'time', shownAt ? shownAt.toLocaleTimeString() : '');
  node.querySelector('time').dateTime = shownAt ? shownAt.toISOString() : '';
}

function setText(node, selector, text) {
  const target = node.querySelector(selector);
  if (target.textContent !== text) target.textContent = text;
}

// Events carry no filename, so a document uploaded in another tab has to be asked for.
function askForNames() {
  clearTimeout(namesTimer);
  namesTimer = setTimeout(fetchNames, 300);
}

async function fetchNames() {
  const url = `/api/v1/patients/${encodeURIComponent(followedPatient)}/documents`;
  const answer = await fetch(url, { headers: authorization() })
    .then((response) => (response.ok ? response.json() : {}))
    .catch(() => ({}));
  for (const { document_id, filename } of answer.documents ?? []) {
    const card = cards.get(document_id);
    if (!card || card.filename || !filename) continue;
    card.filename = filename;
    render(card);
  }
}

// ---- upload

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
  if (!showPatientValidity()) return element('patient-id').focus();
  // A drop leaves the focus in the field, so its change has not been told yet.
  changePatient();
  const refused = files.map(refusalOf).filter(Boolean);
  showProblems(refused);
  for (const file of files.filter((candidate) => !refusalOf(candidate))) {
    const card = addCard(Symbol(file.name), file.name);
    card.file = file;
    queueUpload(card);
  }
}

function refusalOf(file) {
  if (!contentTypeOf(file)) return `${file.name}: only PDF, PNG and JPG files can be read.`;
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
  uploads.waiting.push(card);
  render(card);
  startUploads();
  summarise();
}

function startUploads() {
  while (uploads.running < PARALLEL_UPLOADS && uploads.waiting.length > 0) {
    uploads.running += 1;
    upload(uploads.waiting.shift()).finally(() => {
      uploads.running -= 1;
      startUploads();
    });
  }
  // The files belong to the patient they were chosen for.
  element('patient-id').readOnly = uploads.running > 0;
}

async function upload(card) {
  try {
    const place = await presign(card.file);
    rekeyCard(card, place.document_id);
    render(card);
    await sendFile(card, place);
    const answer = await postJson('/api/v1/uploads/confirm', { document_id: place.document_id });
    // Events may have told more than the answer already.
    if (card.status === 'uploading') applyOutcome(card, { status: answer.status });
    watchWith(answer.token);
  } catch (problem) {
    // Events that came all the same show that the document arrived.
    if (card.status === 'uploading') uploadFailed(card, problem);
  }
  render(card);
  summarise();
}

function uploadFailed(card, problem) {
  const retryable = !LASTING_REFUSALS.includes(problem.status);
  Object.assign(card, { status: 'upload_failed', failedStep: 0, reason: inWords(problem), retryable });
}

function presign(file) {
  return postJson('/api/v1/uploads/presign', {
    patient_id: followedPatient,
    filename: file.name,
    content_type: contentTypeOf(file),
    size: file.size,
  });
}

// XMLHttpRequest, because fetch does not tell how much of a body was sent.
function sendFile(card, { upload_url, method = 'PUT', headers = {} }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, upload_url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => showUploadPercent(card, (100 * loaded) / total);
    request.onload = () => (request.status < 300 ? resolve() : reject(sendingProblem(request)));
    request.onerror = () => reject(sendingProblem(request));
    request.send(card.file);
  });
}

function sendingProblem({ status, responseText }) {
  if (status === 0) return { title: 'The file could not be sent', detail: 'The connection was lost.' };
  try {
    const { title, detail } = JSON.parse(responseText);
    if (title) return { title, detail };
  } catch {
    // A storage service answers in XML.
  }
  return { title: 'The file could not be stored', detail: `The storage answered ${status}.` };
}

function showUploadPercent(card, percent) {
  card.uploadPercent = percent;
  if (card.status === 'uploading') render(card);
}

async function postJson(path, body) {
  const response = await fetch(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...authorization() },
    body: JSON.stringify(body),
  }).catch(() => {
    throw { title: 'The server could not be reached', detail: 'Check the connection and try again.' };
  });
  if (!response.ok) throw await readProblem(response);
  return response.json();
}

function authorization() {
  return token ? { Authorization: `Bearer ${token}` } : {};
}

// The stream of the page already covers the new document, unless it was refused for want of a token.
function watchWith(given) {
  uploadToken = given ?? '';
  if (stream.state === 'closed') openWithUploadToken();
}

function openWithUploadToken() {
  if (!uploadToken) return;
  token = keepToken(uploadToken);
  uploadToken = '';
  openStream();
}

function inWords({ title, detail, message }) {
  const sentences = [title ?? message ?? 'Something went wrong', detail].filter(Boolean);
  return sentences.map((text) => (/[.!?]$/.test(text) ? text : `${text}.`)).join(' ');
}

// ---- lines around the cards

function showConnection(state, { reason, problem }) {
  connection = { state, reason, problem };
  const line = element('connection-state');
  line.dataset.state = state;
  line.textContent = CONNECTION_WORDS[state];
  // A source's state is only as fresh as the connection that told it.
  if (state !== 'live' && state !== 'stalled') forgetSources();
  if (state === 'closed' || state === 'connecting') lastHeartbeatAt = undefined;
  showHeartbeat();
  showNotice();
  if (state === 'closed' && reason === 'refused') openWithUploadToken();
}

function connectionNotice({ state, reason, problem }) {
  if (problem) return inWords(problem);
  if (state === 'stalled') return 'Nothing has been heard from the server for a while. Trying again shortly.';
  if (reason === 'overloaded') return 'The server is busy. The page comes back by itself.';
  return '';
}

function showNotice() {
  const notice = element('notice');
  const words = connectionNotice(connection) || sourceNotice();
  notice.classList.toggle('bad', connection.state === 'closed');
  notice.textContent = words;
  notice.hidden = !words;
}

function showHeartbeat() {
  const seconds = Math.max(0, Math.round((Date.now() - lastHeartbeatAt) / 1_000));
  element('heartbeat').textContent = lastHeartbeatAt ? `last heartbeat ${seconds} s ago` : '';
}

function forgetSources() {
  sources.clear();
  renderSources();
}

function showSource({ source, state }) {
  sources.set(source, state);
  renderSources();
  showNotice();
}

function renderSources() {
  const nodes = [...sources].map(([source, state]) => {
    const node = document.createElement('li');
    node.className = 'source';
    Object.assign(node.dataset, { source, state });
    node.textContent = `${source}: ${state}`;
    return node;
  });
  element('sources').replaceChildren(...nodes);
}

function sourceNotice() {
  const down = [...sources].filter(([, state]) => state === 'down').map(([source]) => source);
  if (down.length === 0) return '';
  if (down.length > 1) return 'Updates are delayed. They come as soon as the service has recovered.';
  return down[0] === 'redis'
    ? 'Live updates are delayed, the outcome still comes.'
    : 'The outcome may be told late, live updates still come.';
}

function showProblems(lines) {
  const nodes = lines.map((line) => {
    const node = document.createElement('li');
    node.textContent = line;
    return node;
  });
  element('problems').replaceChildren(...nodes);
  element('problems').hidden = nodes.length === 0;
}

function showFinished(finished) {
  element('finished').hidden = !finished;
  const failed = [...cards.values()].some(({ status }) => phaseOf(status) === 'failed');
  element('finished-text').textContent = failed ? 'Finished, some failed' : 'All finished';
}

// At most one sentence in a while, so that a screen reader is not talked over.
function summarise() {
  summaryTimer ??= setTimeout(() => {
    summaryTimer = undefined;
    const words = summaryInWords([...cards.values()]);
    if (element('summary').textContent !== words) element('summary').textContent = words;
  }, SUMMARY_DELAY_MS);
}

function summaryInWords(all) {
  if (all.length === 0) return 'No documents yet.';
  const complete = all.filter(({ status }) => status === 'complete').length;
  const failed = all.filter(({ status }) => phaseOf(status) === 'failed').length;
  const active = all.length - complete - failed;
  const parts = [
    active && `${active} in progress`,
    complete && `${complete} complete`,
    failed && `${failed} failed`,
  ];
  return `${all.length === 1 ? '1 document' : `${all.length} documents`}: ${parts.filter(Boolean).join(', ')}.`;
}

function logLine(type, data, id) {
  const log = element('log');
  const line = document.createElement('li');
  line.dataset.type = type;
  const name = document.createElement('span');
  name.className = 'type';
  name.textContent = type;
  line.append(new Date().toLocaleTimeString(), ' ', name, ' ', JSON.stringify(data), id ? ` at ${id}` : '');
  // Heartbeats in a row take one line, else an hour of quiet would push out everything else.
  if (type === 'heartbeat' && log.firstElementChild?.dataset.type === 'heartbeat') log.firstElementChild.remove();
  log.prepend(line);
  while (log.childElementCount > LOG_LINES) log.lastElementChild.remove();
}

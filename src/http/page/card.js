// One document on the page.

import { etaInWords } from './eta.js';
import { STEPS, freshAttempt, phaseOf, stepState } from './progress.js';

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
const REASON_WORDS = {
  encrypted: 'The file is protected by a password. Remove the password and upload it again.',
  unreadable: 'The file could not be opened. It may be damaged: please upload a fresh copy.',
  not_a_pdf: 'The file is not what its name says. Please upload a real PDF.',
  no_pages: 'The document has no pages. Please upload the whole document.',
  too_complex: 'The document is too complex to be read automatically. Please upload fewer pages at a time.',
  needs_ocr: 'The document is a picture without text, and text recognition is not available here.',
  no_text: 'No text was found in the document. A sharper scan may help.',
  ocr_failed: 'The text in the picture could not be read. A sharper scan may help.',
  ocr_unavailable: 'Pictures cannot be read at the moment. Please try again in a while.',
  analyzer_unavailable: 'The document cannot be looked at right now. Please try again in a while.',
  analyzer_failed: 'We could not make out what the document says.',
  file_missing: 'The uploaded file is no longer there. Please upload it again.',
  worker_silent: 'Processing stopped without an answer. Please try again.',
  internal: 'Something went wrong on our side. Please try again in a while.',
};
// Of these another attempt at the same file ends alike.
const LASTING_REASONS = ['encrypted', 'unreadable', 'not_a_pdf', 'no_pages', 'too_complex', 'needs_ocr', 'no_text', 'file_missing'];

const cardTemplate = document.getElementById('card-template');
const stepTemplate = document.getElementById('step-template');

export function newCard(key, filename) {
  const node = cardTemplate.content.firstElementChild.cloneNode(true);
  node.querySelector('.steps').append(...STEPS.map(stepNode));
  return { key, filename, node, file: null, uploadPercent: 0, ...freshAttempt(1) };
}

export function render(card) {
  const { node, key, status, percent, attempt } = card;
  const title = card.filename || `Document ${key}`;
  Object.assign(node.dataset, { status, percent, attempt, phase: phaseOf(card) });
  if (isNumbered(card)) node.dataset.documentId = key;
  node.setAttribute('aria-label', title);
  setText(node, '.filename', title);
  setText(node, '.status', STATUS_WORDS[status] ?? status);
  setText(node, '.detail', card.detail);
  renderEta(card);
  renderBar(card, title);
  renderFailure(card);
  [...node.querySelector('.steps').children].forEach((step, index) => renderStep(card, step, index));
}

export function renderEta(card) {
  setText(card.node, '.eta', phaseOf(card) === 'active' ? etaInWords(card) : '');
}

// Until the server has given a document its id, the card goes by a symbol.
function isNumbered({ key }) {
  return typeof key === 'string';
}

function stepNode({ stage }) {
  const node = stepTemplate.content.firstElementChild.cloneNode(true);
  node.dataset.stage = stage;
  return node;
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

function renderFailure(card) {
  const { node, status, reason, retryable, problem, isRetried } = card;
  const failed = phaseOf(card) === 'failed';
  node.querySelector('.failure').hidden = !failed;
  node.querySelector('.again').hidden = !(status === 'upload_failed' && retryable);
  const retry = node.querySelector('.retry');
  retry.hidden = !mayBeRetried(card);
  // Not disabled: a disabled button loses the focus.
  retry.setAttribute('aria-disabled', String(Boolean(isRetried)));
  setText(node, '.problem', problem ?? '');
  node.querySelector('.problem').hidden = !problem;
  if (failed) setText(node, '.reason', reasonInWords(reason));
}

// Of a document without a name only events tell: its file is not here.
function mayBeRetried({ status, reason, filename }) {
  return status === 'failed' && Boolean(filename) && !LASTING_REASONS.includes(reason);
}

function reasonInWords(reason) {
  if (!reason) return 'The document could not be processed.';
  if (Object.hasOwn(REASON_WORDS, reason)) return REASON_WORDS[reason];
  const isCode = /^[a-z0-9_]+$/.test(reason);
  return isCode ? `The document could not be processed (${reason}).` : reason;
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

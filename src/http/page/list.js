// The documents of the patient, newest first, and the lines above them.

import { announce } from './announcement.js';
import { newCard, render, renderEta } from './card.js';
import { followedPatient } from './patient.js';
import { isSettled, phaseOf } from './progress.js';
import { getJson } from './request.js';

const ETA_INTERVAL_MS = 1_000;
const NAMES_DELAY_MS = 300;

const byKey = new Map();
const place = document.getElementById('cards');
const summary = document.getElementById('summary');
const finishedLine = document.getElementById('finished');
const finishedText = document.getElementById('finished-text');
let namesTimer;
let toldOutcome = () => {};

setInterval(() => cards().forEach(renderEta), ETA_INTERVAL_MS);

export function cards() {
  return [...byKey.values()];
}

/** What a document is called. */
export function nameOf(documentId) {
  return byKey.get(documentId)?.filename || `Document ${documentId}`;
}

/** Tells of every document that ends, or is worked on again. */
export function onOutcome(tell) {
  toldOutcome = tell;
}

/** Gives the card of a document, a new one if need be. */
export function cardFor(documentId, filename) {
  const card = byKey.get(documentId) ?? addCard(documentId, filename);
  if (filename) card.filename = filename;
  else if (!card.filename) askForNames();
  return card;
}

export function addCard(key, filename = '') {
  const card = newCard(key, filename);
  byKey.set(key, card);
  place.prepend(card.node);
  return card;
}

export function rekeyCard(card, key) {
  byKey.delete(card.key);
  card.key = key;
  byKey.set(key, card);
}

export function forgetCards(isForgotten) {
  for (const card of cards().filter(isForgotten)) {
    card.node.remove();
    byKey.delete(card.key);
  }
  showSummary();
}

export function showCard(card) {
  render(card);
  noteOutcome(card);
  if (!isSettled(card)) showFinished(false);
  showSummary();
}

export function showFinished(finished) {
  finishedLine.hidden = !finished;
  const failed = cards().some((card) => phaseOf(card) === 'failed');
  finishedLine.classList.toggle('mixed', failed);
  finishedText.textContent = failed ? 'Finished, some failed' : 'All finished';
}

export function showSummary() {
  const words = summaryInWords();
  if (summary.textContent === words) return;
  summary.textContent = words;
  announce('summary', words);
}

// What became of a document is said by its name; the steps on the way there are not.
function noteOutcome(card) {
  const phase = phaseOf(card);
  const isNews = card.toldPhase && card.toldPhase !== phase;
  card.toldPhase = phase;
  if (isNews) toldOutcome();
  if (!isNews || !isSettled(card)) return;
  announce(card, `${card.filename || 'A document'}: ${phase}.`);
}

function summaryInWords() {
  const all = cards();
  if (all.length === 0) return 'No documents yet.';
  const complete = all.filter((card) => phaseOf(card) === 'complete').length;
  const failed = all.filter((card) => phaseOf(card) === 'failed').length;
  const active = all.length - complete - failed;
  const parts = [
    active && `${active} in progress`,
    complete && `${complete} complete`,
    failed && `${failed} failed`,
  ];
  const count = all.length === 1 ? '1 document' : `${all.length} documents`;
  return `${count}: ${parts.filter(Boolean).join(', ')}.`;
}

// Events carry no filename, so a document uploaded in another tab has to be asked for.
function askForNames() {
  clearTimeout(namesTimer);
  namesTimer = setTimeout(fetchNames, NAMES_DELAY_MS);
}

async function fetchNames() {
  const path = `/api/v1/patients/${encodeURIComponent(followedPatient())}/documents`;
  const { documents = [] } = await getJson(path).catch(() => ({}));
  for (const { document_id, filename } of documents) {
    const card = byKey.get(document_id);
    if (!card || card.filename || !filename) continue;
    card.filename = filename;
    render(card);
  }
}

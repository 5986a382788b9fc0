// What is known of a document. Events and snapshots may come in any order; nothing moves backwards.

import { takeEta } from './eta.js';

// The names are those of the server, so that a reload changes no word.
export const STEPS = [
  { stage: 'upload_received', name: 'We have your document', completes: true, status: 'uploaded' },
  { stage: 'ocr_started', name: 'Reading your document', completes: false, status: 'ocr_processing' },
  { stage: 'ocr_complete', name: 'Your document has been read', completes: true, status: 'ocr_complete' },
  { stage: 'analysis_started', name: 'Looking at what it says', completes: false, status: 'analyzing' },
  { stage: 'analysis_complete', name: 'Important details found', completes: true, status: 'analyzed' },
  { stage: 'matching_complete', name: 'Checked against what is needed', completes: true, status: 'complete' },
];
const LAST_STEP = STEPS.length - 1;

export function freshAttempt(attempt) {
  return {
    attempt,
    status: 'uploaded',
    percent: 0,
    furthest: -1,
    furthestDone: false,
    failedStep: -1,
    failedAt: null,
    detail: '',
    eta: null,
    reason: '',
    problem: '',
    steps: STEPS.map(({ name }) => ({ name, at: null })),
  };
}

/** After a gap the server's attempt holds even if it is lower: it may have lost its memory. */
export function restartIfOtherAttempt(card, entry) {
  const attempt = entry.attempt ?? card.attempt;
  if (attempt !== card.attempt) Object.assign(card, freshAttempt(attempt));
}

export function applyProgress(card, event) {
  const index = STEPS.findIndex(({ stage }) => stage === event.stage);
  if (index < 0 || !entersAttempt(card, event)) return;
  const status = event.status ?? (STEPS[index].completes ? 'completed' : 'started');
  const goesOn = index > card.furthest || (index === card.furthest && event.percent > card.percent);
  noteStep(card.steps[index], status, event);
  raisePercent(card, event.percent);
  // An event replayed after the snapshot fills in its time and changes nothing else.
  if (index >= card.furthest) card.detail = event.detail ?? '';
  if (index >= card.furthest) takeEta(card, event);
  if (status === 'failed') {
    card.failedAt = timeOf(event.timestamp);
    return fail(card, Math.max(index, card.furthest), reasonOf(event));
  }
  if (card.status === 'failed') {
    if (!goesOn) return;
    reopen(card);
  }
  advance(card, index, status === 'completed');
}

/** A status from the store: of the snapshot, a `document_update`, a `done` or the answer to an upload. */
export function applyOutcome(card, entry) {
  if (!entersAttempt(card, entry)) return;
  noteStepTimes(card, entry.steps);
  if (isFromBeforeFailure(card, entry)) return;
  raisePercent(card, entry.percent);
  if (entry.eta_seconds) takeEta(card, entry);
  const told = STEPS.findIndex(({ stage }) => stage === entry.stage);
  if (told >= 0) advance(card, told, STEPS[told].completes);
  if (entry.status === 'failed') return fail(card, stepUnderWay(card), reasonOf(entry));
  const reached = rankOf(entry.status);
  if (reached < 0) return;
  if (card.status === 'failed') reopen(card);
  advance(card, reached, STEPS[reached].completes);
  card.steps[reached].at ??= timeOf(entry.updated_at);
}

export function isSettled({ status }) {
  return ['complete', 'failed', 'upload_failed'].includes(status);
}

export function phaseOf({ status }) {
  if (status === 'uploading') return 'upload';
  if (status === 'complete') return 'complete';
  return status === 'failed' || status === 'upload_failed' ? 'failed' : 'active';
}

export function stepState({ status, furthest, furthestDone, failedStep }, index) {
  if (index === failedStep) return 'failed';
  if (status === 'uploading') return index === 0 ? 'active' : 'waiting';
  if (index < furthest || (index === furthest && furthestDone)) return 'done';
  return index === furthest ? 'active' : 'waiting';
}

// The store may be read before it is told of what an event has told; how a document ends it says itself.
function isFromBeforeFailure(card, { status, updated_at }) {
  if (card.status !== 'failed' || status === 'failed' || status === 'complete') return false;
  const movedAt = timeOf(updated_at);
  return Boolean(movedAt && card.failedAt && movedAt <= card.failedAt);
}

function entersAttempt(card, event) {
  const attempt = event.attempt ?? card.attempt;
  if (attempt > card.attempt) Object.assign(card, freshAttempt(attempt));
  return attempt === card.attempt;
}

function noteStep(step, status, { label, timestamp }) {
  if (label) step.name = label;
  const settles = status === 'completed' || status === 'failed';
  if (!step.at || settles) step.at = timeOf(timestamp ?? Date.now()) ?? step.at;
}

// A page that was reloaded has seen no step come: the snapshot says when each was first told.
function noteStepTimes(card, times) {
  STEPS.forEach(({ stage }, index) => {
    card.steps[index].at ??= timeOf(times?.[stage]);
  });
}

function timeOf(moment) {
  const at = new Date(moment ?? NaN);
  return Number.isNaN(at.getTime()) ? null : at;
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
  card.failedAt = null;
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

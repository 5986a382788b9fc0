// The case and the procedure that documents are uploaded for; neither has to be chosen.

import { getJson } from './request.js';

const CASE_KEY = 'tidings.case';
const PROCEDURE_KEY = 'tidings.procedure';
const INVALID_WORDS = 'Use 1 to 128 letters, digits and the signs _ - .';

const field = document.getElementById('case-id');
const error = document.getElementById('case-error');
const choice = document.getElementById('procedure');
let followed = '';
let changed = () => {};

/** Fills the fields with those of the last visit and tells of every other that is chosen. */
export function startCase({ onCase, onProcedure }) {
  const stored = localStorage.getItem(CASE_KEY);
  if (stored !== null && isCase(stored)) field.value = stored;
  followed = entered();
  changed = onCase;
  field.addEventListener('change', settleCase);
  choice.addEventListener('change', () => {
    localStorage.setItem(PROCEDURE_KEY, choice.value);
    onProcedure();
  });
  listProcedures().then(() => chosenProcedure() && onProcedure());
}

/** The case as an id, or nothing. */
export function followedCase() {
  return followed;
}

/** Whether somebody has chosen the case; the one the page begins with may be nobody's. */
export function isCaseChosen() {
  return localStorage.getItem(CASE_KEY) !== null;
}

/** The procedure's code, or nothing; it counts for documents of a case. */
export function chosenProcedure() {
  return followed ? choice.value : '';
}

/** Takes over what stands in the field; false if it is neither empty nor an id. */
export function settleCase() {
  const valid = showValidity();
  if (valid && entered() !== followed) {
    followed = entered();
    localStorage.setItem(CASE_KEY, followed);
    changed();
  }
  return valid;
}

export function focusCase() {
  field.focus();
}

/** A code as words: `knee_replacement` is a knee replacement. */
export function procedureInWords(code) {
  const words = code.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

async function listProcedures() {
  const { procedures = [] } = await getJson('/api/v1/procedures').catch(() => ({}));
  choice.append(...procedures.map((code) => new Option(procedureInWords(code), code)));
  choice.value = localStorage.getItem(PROCEDURE_KEY) ?? '';
  if (choice.selectedIndex < 0) choice.value = '';
  // Where there is nothing to choose from, nothing is asked.
  choice.closest('.field').hidden = procedures.length === 0;
}

function entered() {
  return field.value.trim();
}

function isCase(text) {
  return text === '' || (/^[A-Za-z0-9_.-]{1,128}$/.test(text) && text !== '.' && text !== '..');
}

function showValidity() {
  const valid = isCase(entered());
  field.setAttribute('aria-invalid', String(!valid));
  error.textContent = valid ? '' : INVALID_WORDS;
  error.hidden = valid;
  return valid;
}

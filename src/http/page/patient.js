// The patient whose documents the page shows.

const PATIENT_KEY = 'tidings.patient';
const INVALID_WORDS = 'Use 1 to 128 letters, digits and the signs _ - . (not “.” or “..” alone).';

const field = document.getElementById('patient-id');
const error = document.getElementById('patient-error');
let followed = '';
let changed = () => {};

/** Fills the field with the patient of the last visit and tells of every other that is entered. */
export function startPatient(onChange) {
  const stored = localStorage.getItem(PATIENT_KEY) ?? '';
  if (isId(stored)) field.value = stored;
  if (!isId(entered())) field.value = 'demo';
  followed = entered();
  changed = onChange;
  field.addEventListener('change', settlePatient);
}

export function followedPatient() {
  return followed;
}

/** Takes over what stands in the field; false if it is no id. */
export function settlePatient() {
  const valid = showValidity();
  if (valid && entered() !== followed) {
    followed = entered();
    localStorage.setItem(PATIENT_KEY, followed);
    changed();
  }
  return valid;
}

export function focusPatient() {
  field.focus();
}

/** Files under way belong to the patient they were chosen for. */
export function lockPatient(locked) {
  field.readOnly = locked;
}

function entered() {
  return field.value.trim();
}

// A browser folds "." and ".." out of any path, however they are escaped.
function isId(text) {
  return /^[A-Za-z0-9_.-]{1,128}$/.test(text) && text !== '.' && text !== '..';
}

function showValidity() {
  const valid = isId(entered());
  field.setAttribute('aria-invalid', String(!valid));
  error.textContent = valid ? '' : INVALID_WORDS;
  error.hidden = valid;
  return valid;
}

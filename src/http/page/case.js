// The case whose conversation the page shows.

const CASE_KEY = 'tidings.case';
const INVALID_WORDS = 'Use 1 to 128 letters, digits and the signs _ - . for the case (not “.” or “..” alone).';

const field = document.getElementById('case-id');
const error = document.getElementById('case-error');
let followed = '';

/** Fills the field with the case of the last visit and tells of every other that is entered. */
export function startCase(onChange) {
  const stored = localStorage.getItem(CASE_KEY) ?? '';
  if (isId(stored)) field.value = stored;
  followed = isId(entered()) ? entered() : 'demo';
  field.value = followed;
  field.addEventListener('change', () => {
    if (!showValidity() || entered() === followed) return;
    followed = entered();
    localStorage.setItem(CASE_KEY, followed);
    onChange();
  });
}

export function followedCase() {
  return followed;
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

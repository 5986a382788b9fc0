// Requests to the service, and what it says when it refuses one.

import { readProblem } from '/tidings.js';

const TOKEN_KEY = 'tidings.token';

let token = takeToken();

export function currentToken() {
  return token;
}

export function keepToken(given) {
  token = given;
  sessionStorage.setItem(TOKEN_KEY, given);
}

export function postJson(path, body) {
  return request(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
}

export function getJson(path) {
  return request(path, { headers: {} });
}

// The server tells programs how to send a token; a person has the page only.
const ACCESS_WORDS = {
  401: 'A token is needed here. Open this page with #token=… at the end of its address.',
  403: 'Your token does not cover this.',
};

/** A problem as sentences a person can act on. */
export function inWords({ status, title, detail, message }) {
  if (Object.hasOwn(ACCESS_WORDS, status ?? 0)) return ACCESS_WORDS[status];
  const sentences = [title ?? message ?? 'Something went wrong', detail].filter(Boolean);
  return sentences.map((text) => (/[.!?]$/.test(text) ? text : `${text}.`)).join(' ');
}

// A token in the fragment reaches the page without ever being sent in a request line or a referrer.
function takeToken() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const given = fragment.get('token');
  if (!given) return sessionStorage.getItem(TOKEN_KEY) ?? '';
  history.replaceState(null, '', location.pathname + location.search);
  sessionStorage.setItem(TOKEN_KEY, given);
  return given;
}

async function request(path, init) {
  if (token) init.headers.Authorization = `Bearer ${token}`;
  const response = await fetch(path, init).catch(() => {
    throw { title: 'The server could not be reached', detail: 'Check the connection and try again.' };
  });
  if (!response.ok) throw await readProblem(response);
  return response.json();
}

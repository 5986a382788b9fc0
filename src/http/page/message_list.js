// The messages of the case on the page, oldest first.

import { Transcript } from './transcript.js';

/** Who speaks in a role, as far as nothing closer is known. */
const roleNames = new Map([
  ['patient', 'Patient'],
  ['agent', 'Care team'],
  ['assistant', 'Assistant'],
]);
const STATE_WORDS = { sending: 'sending…', writing: 'is writing…', broken: 'broke off', stored: '' };
/** So near to its end a list follows what is added. */
const NEAR_PX = 48;

const list = document.getElementById('messages');
const emptyLine = document.getElementById('no-messages');
const template = document.getElementById('message-template');
const nodes = new Map();
let ownRole = 'patient';
let transcript = new Transcript();

export function currentTranscript() {
  return transcript;
}

export function forgetMessages() {
  transcript = new Transcript();
  nodes.clear();
  list.replaceChildren();
  emptyLine.hidden = false;
}

/** Messages of this role stand on the own side. */
export function standFor(role) {
  ownRole = role;
  showMessages();
}

/** Pieces of an answer do not say whose it is; who joins or types does. */
export function rememberName({ role, name }) {
  if (role && name) roleNames.set(role, name);
}

export function nameOf({ role, sender }) {
  return sender?.name ?? roleNames.get(role) ?? role;
}

/** Shows one that has changed and stays where it is: pieces come many times a second. */
export function showMessage(item) {
  if (!nodes.has(item.id)) return showMessages();
  followEnd(() => render(nodes.get(item.id), item));
}

export function showMessages() {
  followEnd(() => {
    const items = transcript.ordered;
    for (const [id, node] of nodes) if (!transcript.items.has(id)) forget(id, node);
    items.forEach((item, index) => {
      const node = nodes.get(item.id) ?? add(item);
      render(node, item);
      // Moved only where it has to be: a node that moves loses its selection.
      if (list.children[index] !== node) list.insertBefore(node, list.children[index] ?? null);
    });
    emptyLine.hidden = items.length > 0;
  });
}

/** How many messages are shown more than once. */
export function countDoubled() {
  const ids = [...list.children].map(({ dataset }) => dataset.id);
  return ids.length - new Set(ids).size;
}

function add(item) {
  const node = template.content.firstElementChild.cloneNode(true);
  node.dataset.id = item.id;
  nodes.set(item.id, node);
  return node;
}

function forget(id, node) {
  node.remove();
  nodes.delete(id);
}

function render(node, item) {
  const { content, role, state, timestamp } = item;
  const side = role === 'system' ? 'middle' : role === ownRole ? 'own' : 'other';
  Object.assign(node.dataset, { state, role, side });
  node.setAttribute('aria-busy', String(state === 'writing'));
  setText(node.querySelector('.who'), nameOf(item));
  setText(node.querySelector('.state'), STATE_WORDS[state]);
  setText(node.querySelector('.content'), content);
  const time = node.querySelector('time');
  setText(time, timestamp ? new Date(timestamp).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }) : '');
  time.dateTime = timestamp ?? '';
}

function followEnd(change) {
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_PX;
  change();
  if (isAtEnd) list.scrollTop = list.scrollHeight;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// What there is to follow.

import { Stream } from './stream.js';

export { readProblem } from './problem.js';

/** @typedef {import('../tidings.d.ts')} Tidings */

const CHAT_TYPES = ['token', 'message', 'agent_joined', 'typing', 'answer_done'];

/** @type {Tidings['followDocuments']} */
export function followDocuments(options) {
  const { patientId, documentIds = [], follow = false } = options;
  const query = documentIds.map((id) => ['document_id', id]);
  if (follow) query.push(['follow', '1']);
  return new Stream(options, {
    path: `/api/v1/patients/${encodeURIComponent(patientId)}/documents/stream`,
    query: withEvents(query, options.events),
    channel: `doc_progress:${patientId}`,
    types: ['progress', 'document_update', 'done'],
    endsWith: follow ? undefined : 'done',
  });
}

/** @type {Tidings['followChat']} */
export function followChat(options) {
  const { caseId, events = [] } = options;
  return new Stream(options, {
    path: `/api/v1/cases/${encodeURIComponent(caseId)}/chat/stream`,
    query: withEvents([], events),
    channel: `chat:${caseId}`,
    types: [...new Set([...CHAT_TYPES, ...events])],
    // A message may come from the log and from the store.
    single: ['message'],
  });
}

/** @type {Tidings['followStream']} */
export function followStream(options) {
  const { kind, id, events } = options;
  return new Stream(options, {
    path: `/api/v1/streams/${encodeURIComponent(kind)}/${encodeURIComponent(id)}`,
    query: withEvents([], events),
    channel: `${kind}:${id}`,
    types: events,
    isOpen: true,
  });
}

/** @param {string[][]} query @param {string[]} [events] */
function withEvents(query, events) {
  return events?.length ? [...query, ['events', events.join(',')]] : query;
}

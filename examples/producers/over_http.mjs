// Tells of work over HTTP, with fetch alone: node examples/producers/over_http.mjs demo d1 c1
import { randomUUID } from 'node:crypto';
import { pathToFileURL } from 'node:url';

async function post(path, body) {
  const key = process.env.INTERNAL_API_KEY;
  const answer = await fetch((process.env.TIDINGS_URL ?? 'http://127.0.0.1:8080') + path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...(key && { Authorization: `Bearer ${key}` }) },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(5000),
  });
  if (!answer.ok) throw new Error((await answer.json()).detail);
  return answer.json();
}

// Again with the same event_id: it counts once.
export const emitProgress = (patient_id, document_id, stage, more = {}) =>
  post('/api/v1/progress', { patient_id, document_id, stage, event_id: randomUUID(), ...more });

export const emitChat = (caseId, type, data) => post(`/api/v1/streams/chat/${caseId}/events`, { type, data });

export const say = (caseId, id, content) =>
  post(`/api/v1/cases/${caseId}/messages`, { id, content, role: 'assistant' });

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [patient, document, caseId] = process.argv.slice(2);
  await emitProgress(patient, document, 'ocr_started', { status: 'in_progress', percent: 30, detail: 'page 2 of 5' });
  await emitProgress(patient, document, 'ocr_complete', { detail: '5 pages' });
  await emitProgress(patient, document, 'matching_complete');
  await emitChat(caseId, 'agent_joined', { name: 'Eve' });
  await emitChat(caseId, 'token', { message_id: 'answer-1', index: 0, text: 'Your MRI ' });
  await emitChat(caseId, 'token', { message_id: 'answer-1', index: 1, text: 'is recent.' });
  await say(caseId, 'answer-1', 'Your MRI is recent.');
  await emitChat(caseId, 'answer_done', { message_id: 'answer-1' });
}

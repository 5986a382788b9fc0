// Tells of work by pushes to Redis, with the official SDK (npm install @upstash/redis), which reads
// UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN: node examples/producers/over_redis.mjs demo d1 c1
import { randomUUID } from 'node:crypto';
import { pathToFileURL } from 'node:url';
import { Redis } from '@upstash/redis';

const redis = Redis.fromEnv();

const push = (channel, event) =>
  redis
    .pipeline()
    .rpush(channel, { event_id: randomUUID(), ...event })
    .expire(channel, 600) // where nobody ever looks, nothing stays behind
    .publish('tidings:wake', channel) // only where UPSTASH_WAKE=on
    .exec();

export const emitProgress = (patient, document_id, stage, more = {}) =>
  push(`doc_progress:${patient}`, { document_id, stage, ...more });

export const emitChat = (caseId, type, data) => push(`chat:${caseId}`, { type, data });

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [patient, document, caseId] = process.argv.slice(2);
  await emitProgress(patient, document, 'ocr_started', { status: 'in_progress', percent: 30, detail: 'page 2 of 5' });
  await emitProgress(patient, document, 'ocr_complete', { detail: '5 pages' });
  await emitProgress(patient, document, 'matching_complete');
  await emitChat(caseId, 'agent_joined', { name: 'Eve' });
  await emitChat(caseId, 'token', { message_id: 'answer-1', index: 0, text: 'Your MRI ' });
  await emitChat(caseId, 'token', { message_id: 'answer-1', index: 1, text: 'is recent.' });
  await emitChat(caseId, 'message', { id: 'answer-1', content: 'Your MRI is recent.', role: 'assistant' });
  await emitChat(caseId, 'answer_done', { message_id: 'answer-1' });
}

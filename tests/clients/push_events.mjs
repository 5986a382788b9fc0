// Pushes numbered events with the official SDK, a batch for each line on standard input.
//
//   node push_events.mjs <url> <token> <list> <batch size>
import { Redis } from '@upstash/redis';
import { createInterface } from 'node:readline';

const [url, token, list, size] = process.argv.slice(2);
const redis = new Redis({ url, token, enableTelemetry: false });
let next = 0;

for await (const _ of createInterface({ input: process.stdin })) {
  // Not awaited one by one: the SDK gathers them into pipelines, in order.
  const pushes = Array.from({ length: Number(size) }, () => {
    const event = { document_id: `d${next % 3}`, stage: 'ocr_started', n: next };
    next += 1;
    return redis.rpush(list, event);
  });
  await Promise.all(pushes);
  console.log(next);
}

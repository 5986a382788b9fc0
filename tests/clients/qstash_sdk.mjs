// Publishes with @upstash/qstash, as it comes, to the queue whose URL, token and signing keys are the
// arguments, and checks what is delivered with its own Receiver. Ends with 0 only if all is as documented.

import assert from "node:assert/strict";
import { createServer } from "node:http";

import { Client, Receiver } from "@upstash/qstash";

const [url, token, currentSigningKey, nextSigningKey] = process.argv.slice(2);
const client = new Client({ baseUrl: url, token, enableTelemetry: false, retry: false });
const receiver = new Receiver({ currentSigningKey, nextSigningKey });
const rolled = new Receiver({ currentSigningKey: "sig_newer", nextSigningKey: currentSigningKey });

/// Answers each request with the next of its answers and keeps what came.
const destination = async () => {
  const received = [];
  const answers = [];
  let wake = () => {};
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method, url: path, headers } = request;
    received.push({ method, path, headers, body: Buffer.concat(chunks).toString() });
    const [status, body] = answers.shift() ?? [200, "ok"];
    response.writeHead(status, { "Content-Type": "text/plain" }).end(body);
    wake();
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const next = async () => {
    while (received.length === 0) {
      await new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error("nothing was delivered")), 20_000);
        wake = () => (clearTimeout(timer), resolve());
      });
    }
    return received.shift();
  };
  return { url: `http://127.0.0.1:${server.address().port}`, answers, next, received, close: () => server.close() };
};

const verify = (delivery, at, by = receiver) =>
  by.verify({ signature: delivery.headers["upstash-signature"], body: delivery.body, url: at, clockTolerance: 1 });

const deliveries = async () => {
  const place = await destination();
  const at = `${place.url}/read?document=d1&attempt=1`;
  const { messageId } = await client.publishJSON({
    url: at, body: { text: "Größe ✓" }, headers: { "X-Own": "yes" }, method: "PUT", timeout: 30, delay: "1s",
  });
  assert.match(messageId, /^msg_/);
  const delivery = await place.next();
  assert.equal(delivery.method, "PUT");
  assert.equal(delivery.path, "/read?document=d1&attempt=1");
  assert.deepEqual(JSON.parse(delivery.body), { text: "Größe ✓" });
  const { headers } = delivery;
  assert.equal(headers["x-own"], "yes");
  assert.equal(headers["content-type"], "application/json");
  assert.equal(headers["user-agent"], "Upstash-QStash");
  assert.equal(headers["upstash-message-id"], messageId);
  assert.equal(headers["upstash-retried"], "0");
  assert.ok(headers["upstash-caller-ip"] && headers["upstash-region"]);

  assert.equal(await verify(delivery, at), true);
  assert.equal(await verify(delivery, at, rolled), true);
  await assert.rejects(verify(delivery, `${at}0`), /invalid subject/);
  await assert.rejects(verify({ ...delivery, body: `${delivery.body} ` }, at), /body hash/);
  const stranger = new Receiver({ currentSigningKey: "sig_a", nextSigningKey: "sig_b" });
  await assert.rejects(verify(delivery, at, stranger));
  place.close();
};

const callbacks = async () => {
  const [place, back, dead] = [await destination(), await destination(), await destination()];
  place.answers.push([500, "no"], [200, "the answer"], [500, "no"], [500, "never"]);
  const ask = { url: place.url, callback: `${back.url}/c?a=1`, failureCallback: `${dead.url}/f`, retries: 1 };
  const { messageId } = await client.publish({ ...ask, body: "first" });
  const told = [await back.next(), await back.next()];
  for (const delivery of told) assert.equal(await verify(delivery, `${back.url}/c?a=1`), true);
  const [failed, answered] = told.map(({ body }) => JSON.parse(body));
  assert.deepEqual([failed.status, failed.retried, failed.maxRetries], [500, 0, 1]);
  assert.deepEqual([answered.status, answered.retried], [200, 1]);
  assert.equal(Buffer.from(answered.body, "base64").toString(), "the answer");
  assert.equal(Buffer.from(answered.sourceBody, "base64").toString(), "first");
  assert.equal(answered.sourceMessageId, messageId);
  assert.deepEqual(answered.header["Content-Type"] ?? answered.header["content-type"], ["text/plain"]);

  await client.publish({ ...ask, body: "second" });
  const last = await dead.next();
  assert.equal(await verify(last, `${dead.url}/f`), true);
  const failure = JSON.parse(last.body);
  assert.deepEqual([failure.status, failure.retried, failure.maxRetries], [500, 1, 1]);
  assert.ok(failure.dlqId);
  assert.deepEqual([place.received.length, dead.received.length], [4, 0]);
  for (const one of [place, back, dead]) one.close();
};

const repeats = async () => {
  const place = await destination();
  const first = await client.publishJSON({ url: place.url, body: 1, deduplicationId: "d1.1" });
  const again = await client.publishJSON({ url: place.url, body: 2, deduplicationId: "d1.1" });
  assert.deepEqual([again.messageId, again.deduplicated], [first.messageId, true]);
  const content = { url: place.url, body: { same: true }, contentBasedDeduplication: true };
  const [one, two] = [await client.publishJSON(content), await client.publishJSON(content)];
  assert.equal(one.messageId, two.messageId);
  const bodies = [(await place.next()).body, (await place.next()).body];
  assert.deepEqual(bodies.sort(), ["1", '{"same":true}']);
  place.close();
};

const refusals = async () => {
  const stranger = new Client({ baseUrl: url, token: "other", enableTelemetry: false, retry: false });
  await assert.rejects(stranger.publishJSON({ url: "http://127.0.0.1:1/", body: 1 }), /unauthorized/);
  await assert.rejects(client.publishJSON({ url: "http://127.0.0.1:1/", retryDelay: "pow(2, retried)" }), /expression/);
};

for (const part of [deliveries, callbacks, repeats, refusals]) {
  await part();
}
console.log("all as expected");
process.exit(0);

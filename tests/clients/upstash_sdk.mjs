// Drives @upstash/redis, with the settings it has by itself, against the front whose URL and token
// are the arguments. Ends with 0 only if every result is the one Upstash documents.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";

import { Redis } from "@upstash/redis";

const [url, token] = process.argv.slice(2);
const redis = new Redis({ url, token, enableTelemetry: false });

const lists = async () => {
  assert.equal(await redis.rpush("list", { step: 1 }, JSON.stringify({ step: 2 }), "plain", 4), 4);
  assert.deepEqual(await redis.lrange("list", 0, 0), [{ step: 1 }]);
  assert.deepEqual(await redis.lpop("list", 3), [{ step: 1 }, { step: 2 }, "plain"]);
  assert.equal(await redis.lpop("list"), 4);
  assert.equal(await redis.lpop("list", 10), null);

  await redis.rpush("second", "a", "b", "c");
  assert.deepEqual(await redis.lmpop(2, ["first", "second"], "LEFT", 2), ["second", ["a", "b"]]);
  assert.equal(await redis.lmpop(1, ["first"], "LEFT"), null);
  assert.equal(await redis.exists("first", "second"), 1);
};

const strings = async () => {
  assert.equal(await redis.set("text", "Gewicht 80 kg – ja: ✓", { ex: 100 }), "OK");
  assert.equal(await redis.get("text"), "Gewicht 80 kg – ja: ✓");
  assert.equal(await redis.ttl("text"), 100);
  assert.equal(await redis.set("text", "other", { nx: true }), null);
  assert.equal(await redis.set("OK", "OK"), "OK");
  assert.deepEqual(await redis.mget("OK", "missing", "text"), ["OK", null, "Gewicht 80 kg – ja: ✓"]);
  assert.equal(await redis.set("object", { nested: [1, true, null] }), "OK");
  assert.deepEqual(await redis.get("object"), { nested: [1, true, null] });
  assert.equal(await redis.ping(), "PONG");
  assert.equal(await redis.hset("hash", { field: "1", other: "b" }), 2);
  assert.deepEqual(await redis.hgetall("hash"), { field: 1, other: "b" });
};

const streams = async () => {
  const first = await redis.xadd("log", "*", { payload: { stage: "ocr" }, number: 1 });
  const second = await redis.xadd("log", "*", { payload: "text" });
  assert.match(first, /^\d+-\d+$/);
  assert.deepEqual(await redis.xrange("log", "-", "+"), {
    [first]: { payload: { stage: "ocr" }, number: 1 },
    [second]: { payload: "text" },
  });
  assert.deepEqual(await redis.xrange("log", `(${first}`, "+"), { [second]: { payload: "text" } });
  assert.deepEqual(await redis.xread("log", first), [["log", [[second, ["payload", "text"]]]]]);
  assert.equal(await redis.xread("log", second), null);
};

const scripts = async () => {
  const script = "#!lua flags=allow-key-locking\nreturn {redis.call('INCR', KEYS[1]), ARGV[1]}";
  const hash = createHash("sha1").update(script).digest("hex");
  await assert.rejects(redis.evalsha(hash, ["counter"], ["a"]), /NOSCRIPT/);
  assert.deepEqual(await redis.eval(script, ["counter"], ["a"]), [1, "a"]);
  assert.deepEqual(await redis.evalsha(hash, ["counter"], ["b"]), [2, "b"]);
  assert.deepEqual(await redis.createScript(script).exec(["counter"], ["c"]), [3, "c"]);
};

const pipelines = async () => {
  const together = await Promise.all([redis.set("a", 1), redis.incr("a"), redis.get("a"), redis.get("none")]);
  assert.deepEqual(together, ["OK", 2, 2, null]);

  const pipeline = redis.pipeline().set("p", "x").incr("p").get("p");
  await assert.rejects(redis.pipeline().set("p", "x").incr("p").exec(), /not an integer/);
  const kept = await pipeline.exec({ keepErrors: true });
  assert.deepEqual([kept[0].result, kept[2].result], ["OK", "x"]);
  assert.match(kept[1].error, /^ERR value is not an integer/);

  assert.deepEqual(await redis.multi().set("m", 1).incr("m").get("m").exec(), ["OK", 2, 2]);
  await assert.rejects(redis.multi().set("m", 5).eval("return", [], []).xread("m", "$", { blockMS: 1 }).exec());
  assert.equal(await redis.get("m"), 2);
};

const errors = async () => {
  await assert.rejects(redis.lpop("text"), /WRONGTYPE/);
  const stranger = new Redis({ url, token: "other", enableTelemetry: false });
  await assert.rejects(stranger.get("text"), /WRONGPASS/);
};

/// Resolves with the next event of a kind, or fails if none comes.
const next = (subscription, kind) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${kind} came`)), 20_000);
    subscription.on("error", reject);
    subscription.on(kind, (event) => {
      clearTimeout(timer);
      resolve(event);
    });
  });

const subscriptions = async () => {
  const channel = redis.subscribe("news:1");
  assert.equal(await next(channel, "subscribe"), 1);
  const message = next(channel, "message");
  assert.equal(await redis.publish("news:1", { a: "b, c" }), 1);
  assert.deepEqual(await message, { channel: "news:1", message: { a: "b, c" } });
  await channel.unsubscribe();

  const pattern = redis.psubscribe("news:*");
  assert.equal(await next(pattern, "psubscribe"), 1);
  const other = next(pattern, "pmessage");
  await redis.publish("news:2", { step: 1 });
  assert.deepEqual(await other, { pattern: "news:*", channel: "news:2", message: { step: 1 } });
  await pattern.unsubscribe();
};

for (const part of [lists, strings, streams, scripts, pipelines, errors, subscriptions]) {
  await part();
}
console.log("all as expected");

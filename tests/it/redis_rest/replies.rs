//! How replies are written, and what is not answered at all.

use serde_json::{Value, json};

use super::{answer, refused};
use crate::support::{Redis, RedisRest};

#[tokio::test]
async fn replies_keep_their_kind() {
    let redis = Redis::start();
    let rest = RedisRest::before(&redis);

    for (command, reply) in [
        (json!(["GET", "nothing"]), Value::Null),
        (json!(["LPOP", "nothing", 10]), Value::Null),
        (json!(["PING"]), json!("PONG")),
        (json!(["SET", "OK", "OK"]), json!("OK")),
        (json!(["INCRBY", "counter", "9007199254740993"]), json!(9_007_199_254_740_993_u64)),
        (json!(["HSET", "hash", "field", "1"]), json!(1)),
        (json!(["HGETALL", "hash"]), json!(["field", "1"])),
        (json!(["ZADD", "set", 1.5, "member"]), json!(1)),
        (json!(["ZSCORE", "set", "member"]), json!("1.5")),
        (json!(["XADD", "log", "1-1", "p", "a"]), json!("1-1")),
        (json!(["XREAD", "STREAMS", "log", "0"]), json!([["log", [["1-1", ["p", "a"]]]]])),
        (json!(["XRANGE", "log", "-", "+"]), json!([["1-1", ["p", "a"]]])),
        (json!(["EVAL", "return {1, false, {'a'}}", 0]), json!([1, null, ["a"]])),
    ] {
        assert_eq!(rest.run(command.clone()).await, reply, "{command}");
    }
}

#[tokio::test]
async fn every_string_but_the_status_ok_comes_in_base64_when_asked_for() {
    let redis = Redis::start();
    let rest = RedisRest::before(&redis);
    let ask = |command: Value| answer(rest.post("/", &command).header("Upstash-Encoding", "base64"));

    for (command, result) in [
        (json!(["SET", "key", "OK"]), json!("OK")),
        (json!(["GET", "key"]), json!("T0s=")),
        (json!(["PING"]), json!("UE9ORw==")),
        (json!(["STRLEN", "key"]), json!(2)),
        (json!(["GET", "nothing"]), Value::Null),
        (json!(["MGET", "key", "nothing"]), json!(["T0s=", null])),
        (json!(["EVAL", "return {{'a'}, redis.status_reply('OK')}", 0]), json!([["YQ=="], "T0s="])),
    ] {
        assert_eq!(ask(command.clone()).await, (200, json!({ "result": result })), "{command}");
    }
    let commands = json!([["GET", "key"], ["SET", "key", "a"], ["NOPE"]]);
    let (_, answers) = answer(rest.post("/pipeline", &commands).header("Upstash-Encoding", "base64")).await;
    assert_eq!(answers[0], json!({ "result": "T0s=" }));
    assert_eq!(answers[1], json!({ "result": "OK" }));
    assert!(answers[2]["error"].as_str().unwrap().starts_with("ERR unknown command"), "errors stay text");
}

#[tokio::test]
async fn bytes_survive_in_base64_and_are_replaced_in_plain_text() {
    let redis = Redis::start();
    let rest = RedisRest::before(&redis);
    let set = rest.http.post(format!("{}/set/key", rest.url)).body(vec![b'a', 0xff, 0, b'b']);
    assert_eq!(answer(set).await.0, 200);

    let plain = answer(rest.get("/get/key")).await;
    let base64 = answer(rest.get("/get/key").header("Upstash-Encoding", "base64")).await;

    assert_eq!(plain, (200, json!({ "result": "a\u{fffd}\0b" })));
    assert_eq!(base64, (200, json!({ "result": "Yf8AYg==" })));
}

#[tokio::test]
async fn errors_have_the_words_of_redis() {
    let redis = Redis::start();
    let rest = RedisRest::before(&redis);
    rest.run(json!(["SET", "key", "text"])).await;

    for (command, words) in [
        (json!(["GET"]), "ERR wrong number of arguments for 'get' command"),
        (json!(["LPOP", "key"]), "WRONGTYPE Operation against a key holding the wrong kind of value"),
        (json!(["EVALSHA", "f".repeat(40), 0]), "NOSCRIPT No matching script. Please use EVAL."),
        (json!(["XADD", "log", "0-0", "p", "a"]), "ERR The ID specified in XADD must be greater than 0-0"),
        (json!(["EVAL", "return redis.error_reply('MINE it failed')", 0]), "MINE it failed"),
    ] {
        assert_eq!(refused(rest.post("/", &command)).await, (400, words.to_owned()), "{command}");
    }
}

#[tokio::test]
async fn what_would_block_or_change_the_shared_connection_is_refused() {
    let redis = Redis::start();
    let rest = RedisRest::before(&redis);

    for command in [
        json!(["BLPOP", "list", 0]),
        json!(["brpop", "list", 0]),
        json!(["BLMOVE", "a", "b", "LEFT", "LEFT", 0]),
        json!(["BLMPOP", 0, 1, "list", "LEFT"]),
        json!(["BZPOPMIN", "set", 0]),
        json!(["XREAD", "BLOCK", 0, "STREAMS", "log", "$"]),
        json!(["XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "log", ">"]),
        json!(["WAIT", 1, 0]),
        json!(["SUBSCRIBE", "channel"]),
        json!(["MONITOR"]),
        json!(["SELECT", 1]),
        json!(["AUTH", "secret"]),
        json!(["HELLO", 3]),
        json!(["MULTI"]),
        json!(["WATCH", "key"]),
        json!(["CLIENT", "REPLY", "OFF"]),
        json!(["QUIT"]),
        json!(["RESET"]),
        json!(["SHUTDOWN"]),
        json!(["CONFIG", "SET", "dir", "/"]),
    ] {
        let (status, error) = refused(rest.post("/", &command)).await;

        assert_eq!(status, 400, "{command}");
        assert!(error.starts_with("ERR Command is not available: '"), "{command}: {error}");
    }
    assert_eq!(rest.run(json!(["PING"])).await, "PONG");
}

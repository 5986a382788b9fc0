//! Scripts with Upstash's flag, which a real Redis does not know.

use serde_json::json;

use super::{answer, refused};
use crate::support::{Redis, RedisRest};

const FLAGGED: &str = "#!lua flags=allow-key-locking\nreturn redis.call('INCR', KEYS[1])";
/// Its SHA-1, as a client computes it.
const HASH: &str = "5c6e36d70d4ec2144321a8f9c663f6c612440510";

#[tokio::test]
async fn a_flagged_script_runs() {
    let redis = Redis::start();
    let rest = RedisRest::before(&redis);

    let once = rest.run(json!(["EVAL", FLAGGED, 1, "key"])).await;
    let again = answer(rest.post("/pipeline", &json!([["eval", FLAGGED, 1, "key"]]))).await;
    let as_one = answer(rest.post("/multi-exec", &json!([["EVAL", FLAGGED, 1, "key"]]))).await;

    assert_eq!(once, 1);
    assert_eq!(again.1, json!([{ "result": 2 }]));
    assert_eq!(as_one.1, json!([{ "result": 3 }]));
}

#[tokio::test]
async fn a_flagged_script_is_found_by_the_hash_of_what_the_client_sent() {
    let redis = Redis::start();
    let rest = RedisRest::before(&redis);
    let by_hash = json!(["EVALSHA", HASH, 1, "key"]);

    let (_, before) = refused(rest.post("/", &by_hash)).await;
    rest.run(json!(["EVAL", FLAGGED, 1, "key"])).await;
    let after = rest.run(by_hash.clone()).await;
    rest.run(json!(["SCRIPT", "FLUSH"])).await;
    let (_, flushed) = refused(rest.post("/", &by_hash)).await;

    assert!(before.starts_with("NOSCRIPT"), "{before}");
    assert_eq!(after, 2);
    assert!(flushed.starts_with("NOSCRIPT"), "{flushed}");
}

#[tokio::test]
async fn a_flagged_script_that_was_loaded_runs_by_either_hash() {
    let redis = Redis::start();
    let rest = RedisRest::before(&redis);

    let loaded = rest.run(json!(["SCRIPT", "LOAD", FLAGGED])).await;

    assert_eq!(rest.run(json!(["SCRIPT", "EXISTS", HASH, loaded, "f00"])).await, json!([1, 1, 0]));
    assert_eq!(rest.run(json!(["EVALSHA", loaded, 1, "key"])).await, 1);
    assert_eq!(rest.run(json!(["EVALSHA", HASH, 1, "key"])).await, 2);
}

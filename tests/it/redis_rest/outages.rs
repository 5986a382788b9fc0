//! Starting, going down, and a Redis that is away for a while.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use super::{answer, refused};
use crate::support::{Redis, RedisRest, viewer::PATIENCE};

const WITHIN: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_redis_that_is_away_is_told_and_used_again_when_it_is_back() {
    let mut redis = Redis::start();
    let rest = RedisRest::before(&redis);
    rest.run(json!(["SET", "key", "text"])).await;

    redis.crash();
    for (path, body) in [
        ("/", json!(["GET", "key"])),
        ("/pipeline", json!([["GET", "key"]])),
        ("/multi-exec", json!([["PING"]])),
    ] {
        let refusal = timeout(WITHIN, refused(rest.post(path, &body))).await.expect("told at once");
        assert_eq!(refusal, (503, "ERR redis is not reachable".to_owned()), "{path}");
    }
    redis.start_again();

    assert_eq!(answer(rest.post("/", &json!(["GET", "key"]))).await, (200, json!({ "result": null })));
}

#[tokio::test]
async fn a_redis_that_came_back_unnoticed_costs_at_most_one_request() {
    let mut redis = Redis::start();
    let rest = RedisRest::before(&redis);
    rest.run(json!(["PING"])).await;

    redis.crash();
    redis.start_again();
    let _ = answer(rest.get("/ping")).await;

    assert_eq!(answer(rest.get("/ping")).await, (200, json!({ "result": "PONG" })));
}

#[tokio::test]
async fn it_does_not_start_without_a_redis_and_says_so_in_one_line() {
    let mut redis = Redis::start();
    redis.crash();
    let address = redis.url.trim_start_matches("redis://");

    for (url, named) in [
        (format!("redis://:hunter2@{address}"), address),
        ("http://127.0.0.1:6379/hunter2".to_owned(), "URL"),
        ("hunter2".to_owned(), "URL"),
    ] {
        let words = RedisRest::start(&["--redis", &url, "--listen", "127.0.0.1:0"]).err().unwrap();

        assert_eq!(words.lines().count(), 1, "{words}");
        assert!(words.contains(named), "{words}");
        assert!(!words.contains("hunter2"), "secrets are masked: {words}");
    }
}

#[tokio::test]
async fn it_goes_down_cleanly_though_subscriptions_are_open() {
    let redis = Redis::start();
    let rest = RedisRest::before(&redis);
    let mut subscription = rest.get("/subscribe/news").send().await.unwrap();
    subscription.chunk().await.unwrap().expect("the confirmation");

    let end = tokio::spawn(async move { subscription.chunk().await });
    let status = tokio::task::spawn_blocking(move || rest.terminate(WITHIN)).await.unwrap();

    assert_eq!(status.expect("the process ends within 5 s").code(), Some(0));
    let end = timeout(PATIENCE, end).await.expect("the subscription ends").unwrap();
    assert_eq!(end.expect("it is not cut"), None);
}

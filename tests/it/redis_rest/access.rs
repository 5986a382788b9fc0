//! Who is let in.

use serde_json::json;

use super::{answer, refused};
use crate::support::{Redis, RedisRest};

#[tokio::test]
async fn the_token_opens_every_form_and_nothing_else_does() {
    let redis = Redis::start();
    let rest = RedisRest::with_token(&redis, "secret-T");

    for (path, body) in [
        ("/", json!(["PING"])),
        ("/ping", json!([])),
        ("/pipeline", json!([["PING"]])),
        ("/multi-exec", json!([["PING"]])),
        ("/subscribe/channel", json!([])),
        ("/psubscribe/pattern", json!([])),
    ] {
        for request in [
            rest.post(path, &body),
            rest.post(path, &body).bearer_auth("other"),
            rest.post(path, &body).bearer_auth("secret-"),
            rest.post(path, &body).basic_auth("secret-T", None::<&str>),
            rest.post(&format!("{path}?_token=other"), &body),
        ] {
            let (status, error) = refused(request).await;

            assert_eq!((status, &error[..9]), (401, "WRONGPASS"), "{path}");
        }
        let status = rest.post(path, &body).bearer_auth("secret-T").send().await.unwrap().status();
        assert_ne!(status, 401, "{path}");
    }
}

#[tokio::test]
async fn the_token_may_come_in_the_query_and_is_no_part_of_the_command() {
    let redis = Redis::start();
    let rest = RedisRest::with_token(&redis, "T/+ 1");

    let set = answer(rest.get("/set/key/text?EX=100&_token=T%2F%2B%201")).await;

    assert_eq!(set, (200, json!({ "result": "OK" })));
}

#[tokio::test]
async fn without_a_token_any_program_is_let_in_but_no_web_page() {
    let redis = Redis::start();
    let rest = RedisRest::before(&redis);

    let with_another = answer(rest.get("/ping").bearer_auth("any")).await;
    let from_a_page = refused(rest.get("/flushall").header("Origin", "https://example.org")).await;
    let from_an_image = refused(rest.get("/flushall").header("Sec-Fetch-Site", "cross-site")).await;
    let by_another_name = refused(rest.get("/flushall").header("Host", "rebound.example.org")).await;

    assert_eq!(with_another, (200, json!({ "result": "PONG" })));
    for (status, error) in [from_a_page, from_an_image, by_another_name] {
        assert_eq!(status, 403);
        assert!(error.contains("--token"), "{error}");
    }
}

#[tokio::test]
async fn a_front_that_others_can_reach_does_not_start_without_a_token() {
    let redis = Redis::start();

    let words = RedisRest::start(&["--redis", &redis.url, "--listen", "0.0.0.0:0"]).err().unwrap();
    let with_token = RedisRest::start(&["--redis", &redis.url, "--listen", "0.0.0.0:0", "--token", "T"]);

    assert_eq!(words.lines().count(), 1, "{words}");
    assert!(words.contains("--token"), "{words}");
    assert!(with_token.is_ok());
}

//! `tidings emit` needs no server where Redis carries the events.

use serde_json::Value;

use crate::support::{Redis, RedisRest, Server, Viewer, program::run};

const EVENT: [&str; 9] =
    ["emit", "--patient", "p1", "--document", "d1", "--stage", "ocr_started", "--detail", "page 2 of 5"];

#[tokio::test]
async fn an_event_goes_over_the_configured_redis_to_whoever_watches() {
    let redis = Redis::start();
    let front = RedisRest::with_token(&redis, "t");
    for emit in ["list", "log"] {
        let settings = [
            ("UPSTASH_REDIS_REST_URL", front.url.as_str()),
            ("UPSTASH_REDIS_REST_TOKEN", "t"),
            ("UPSTASH_EMIT", emit),
        ];
        let server = Server::start(&settings);
        let mut viewer = Viewer::open(server.get("/api/v1/patients/p1/documents/stream?follow=1")).await;
        viewer.until("connected").await;

        // Nothing listens on its HOST and PORT.
        let output = run(&EVENT, &[&settings[..], &[("PORT", "9")]].concat()).await;

        assert!(output.status.success(), "{output:?}");
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let step = viewer.until("progress").await;
        assert_eq!((answer["stored"].as_bool(), &step.data["event_id"]), (Some(true), &answer["event_id"]));
        assert_eq!(
            (step.text("stage").as_str(), step.text("detail").as_str()),
            ("ocr_started", "page 2 of 5")
        );
    }
}

#[tokio::test]
async fn an_event_that_redis_does_not_take_is_said_in_one_line() {
    let redis = Redis::start();
    let front = RedisRest::with_token(&redis, "t");
    let settings = [("UPSTASH_REDIS_REST_URL", front.url.as_str()), ("UPSTASH_REDIS_REST_TOKEN", "another")];

    let output = run(&EVENT, &settings).await;

    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8(output.stderr).unwrap();
    let last = words.lines().last().unwrap_or_default();
    assert!(last.starts_with("tidings: ") && last.contains("UPSTASH_REDIS_REST_URL"), "{words}");
    assert!(output.stdout.is_empty() && !words.contains("another"), "{words}");
}

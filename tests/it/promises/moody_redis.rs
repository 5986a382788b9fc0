//! A Redis that answers, but wrongly: what it holds is not lost, and outcomes come all the same.

use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc::Receiver;

use crate::support::{
    Gate, Mood, Server, Viewer,
    documents::{STAGES, confirm, emit, put},
    gate::Held,
    program,
    redis::{Redis, RedisRest},
    viewer::{Message, names},
};

const STREAM: &str = "/api/v1/patients/p1/documents/stream?follow=1";
const UNAUTHORIZED: Mood = Mood::Answer(401, r#"{"error":"WRONGPASS invalid or missing auth token"}"#);
const QUOTA: Mood =
    Mood::Answer(400, r#"{"error":"ERR max requests limit exceeded. Limit: 500000, Usage: 500000."}"#);
const GARBAGE: Mood = Mood::Answer(200, "<html>Please log in</html>");
const OVERLOADED: Mood = Mood::Answer(503, "");

struct Parts {
    redis: Redis,
    _front: RedisRest,
    gate: Gate,
    server: Server,
}

async fn start(more: &[(&str, &str)]) -> Parts {
    let redis = Redis::start();
    let front = RedisRest::with_token(&redis, "t");
    let gate = Gate::before(&front.url).await;
    let database = [("UPSTASH_REDIS_REST_URL", gate.url.as_str()), ("UPSTASH_REDIS_REST_TOKEN", "t")];
    let server = Server::start(&[&database, more].concat());
    Parts { redis, _front: front, gate, server }
}

async fn until(viewer: &mut Viewer, name: &str) -> Vec<Message> {
    let mut seen = Vec::new();
    while seen.last().is_none_or(|message: &Message| message.name != name) {
        seen.push(viewer.next().await.expect("the stream goes on"));
    }
    seen
}

fn source(state: &str) -> serde_json::Value {
    json!({ "source": "redis", "state": state })
}

/// Redis is in a mood while a document is worked on; then it is well again.
async fn outcome_comes_in(mood: Mood, more: &[(&str, &str)]) -> (Parts, Viewer) {
    let parts = start(more).await;
    let mut viewer = Viewer::open(parts.server.get(STREAM)).await;
    viewer.until("connected").await;
    let document = put(&parts.server, "p1", "lab_report.pdf").await;

    parts.gate.be(mood);
    assert_eq!(viewer.until("source").await.data, source("down"), "{mood:?}");
    confirm(&parts.server, &document).await;

    let seen = until(&mut viewer, "done").await;
    let update = seen.iter().rfind(|message| message.name == "document_update").unwrap();
    assert_eq!(
        (update.text("document_id"), update.text("status")),
        (document, "complete".into()),
        "{mood:?}"
    );
    (parts, viewer)
}

#[tokio::test]
async fn the_outcome_comes_whatever_redis_answers() {
    for mood in [UNAUTHORIZED, GARBAGE, OVERLOADED, Mood::Slow(Duration::from_secs(3))] {
        let (parts, mut viewer) = outcome_comes_in(mood, &[]).await;

        parts.gate.be(Mood::Pass);
        assert_eq!(viewer.until("source").await.data, source("up"), "{mood:?}");
        // Nothing is lost of what came meanwhile: what a stranger pushes is told again.
        parts.redis.push("doc_progress:p1", r#"{"document_id":"d2","stage":"ocr_started"}"#).await;
        while viewer.until("progress").await.step() != ("d2".into(), "ocr_started".into()) {}
    }
}

#[tokio::test]
async fn a_spent_quota_is_left_alone_and_said_once() {
    let (parts, _viewer) = outcome_comes_in(QUOTA, &[]).await;

    // No loop of 300 ms, and no retries: what is free of charge may be asked.
    let before = parts.gate.calls();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let calls = parts.gate.calls() - before;

    assert!(calls <= 2, "{calls} calls in 5 s");
    let log = parts.server.log();
    assert_eq!(log.matches("the quota of the Redis plan is spent").count(), 1, "{log}");
    assert!(!log.contains("Usage: 500000"), "{log}");
}

#[tokio::test]
async fn a_drain_whose_answer_is_lost_loses_and_doubles_nothing() {
    for more in [&[][..], &[("UPSTASH_WAKE", "on")]] {
        let parts = start(more).await;
        let mut viewer = Viewer::open(parts.server.get(STREAM)).await;
        viewer.until("connected").await;
        let calls = parts.gate.step().await;

        for stage in STAGES {
            let event = json!({ "document_id": "d1", "stage": stage });
            parts.redis.push("doc_progress:p1", &event.to_string()).await;
        }
        parts.redis.publish("tidings:wake", "doc_progress:p1").await;
        lose_the_answer(&parts.gate, calls, "EVAL").await;

        let seen = until(&mut viewer, "done").await;
        assert_eq!(stages(&seen), STAGES, "{more:?}: {:?}", names(&seen));
    }
}

#[tokio::test]
async fn an_emit_whose_answer_is_lost_is_told_once() {
    for (more, command) in [(&[][..], "RPUSH"), (&[("UPSTASH_WAKE", "on"), ("UPSTASH_EMIT", "log")], "XADD")]
    {
        let parts = start(more).await;
        let mut viewer = Viewer::open(parts.server.get(STREAM)).await;
        viewer.until("connected").await;
        let calls = parts.gate.step().await;

        let emitting = async {
            for stage in STAGES {
                emit(&parts.server, "p1", "d1", stage).await;
            }
        };
        tokio::join!(emitting, lose_the_answer(&parts.gate, calls, command));

        let seen = until(&mut viewer, "done").await;
        assert_eq!(stages(&seen), STAGES, "{more:?}: {:?}", names(&seen));
    }
}

/// Lets calls go on until one has `command`: Redis does that one, but its answer is lost.
async fn lose_the_answer(gate: &Gate, mut calls: Receiver<Held>, command: &str) {
    loop {
        let call = calls.recv().await.unwrap();
        let is_it = call.has(command);
        if is_it {
            gate.be(Mood::LoseAnswer);
        }
        call.go_on();
        if is_it {
            break;
        }
    }
    // Time for the call to be done; what comes after it may lose its answer as well.
    tokio::time::sleep(Duration::from_millis(300)).await;
    gate.be(Mood::Pass);
}

fn stages(seen: &[Message]) -> Vec<String> {
    seen.iter().filter(|message| message.name == "progress").map(|message| message.text("stage")).collect()
}

#[tokio::test]
async fn check_says_whether_wake_ups_are_heard() {
    let redis = Redis::start();
    let front = RedisRest::with_token(&redis, "t");
    let gate = Gate::before(&front.url).await;
    let settings = [
        ("UPSTASH_REDIS_REST_URL", gate.url.as_str()),
        ("UPSTASH_REDIS_REST_TOKEN", "t"),
        ("UPSTASH_WAKE", "on"),
    ];

    let lines = async || String::from_utf8(program::run(&["check"], &settings).await.stdout).unwrap();
    let heard = lines().await;
    assert!(heard.contains("ok    wake-ups: "), "{heard}");
    gate.be(Mood::Answer(404, "Not Found"));
    let deaf = lines().await;
    assert!(deaf.contains("FAIL  wake-ups (UPSTASH_WAKE): nothing is heard"), "{deaf}");
}

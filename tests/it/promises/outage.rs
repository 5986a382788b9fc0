//! Redis goes away and comes back: fewer steps are seen meanwhile, never a wrong outcome.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{
    Server, Viewer,
    documents::{STAGES, confirm, put},
    redis::{Redis, RedisRest},
    viewer::Message,
};

const STREAM: &str = "/api/v1/patients/p1/documents/stream?follow=1";

struct Parts {
    redis: Redis,
    _front: RedisRest,
    server: Server,
}

fn start() -> Parts {
    let redis = Redis::start();
    let front = RedisRest::with_token(&redis, "t");
    let server = Server::start(&[("UPSTASH_REDIS_REST_URL", &front.url), ("UPSTASH_REDIS_REST_TOKEN", "t")]);
    Parts { redis, _front: front, server }
}

async fn until_done(viewer: &mut Viewer) -> Vec<Message> {
    let mut seen = Vec::new();
    while seen.last().is_none_or(|message: &Message| message.name != "done") {
        seen.push(viewer.next().await.expect("the stream goes on"));
    }
    seen
}

fn stages(seen: &[Message]) -> Vec<String> {
    seen.iter().filter(|message| message.name == "progress").map(|message| message.text("stage")).collect()
}

#[tokio::test]
async fn a_document_that_is_read_while_redis_is_down_still_ends_right() {
    let mut parts = start();
    let mut viewer = Viewer::open(parts.server.get(STREAM)).await;
    viewer.until("connected").await;
    let document = put(&parts.server, "p1", "lab_report.pdf").await;

    parts.redis.crash();
    let down = viewer.until("source").await;
    assert_eq!(down.data, json!({ "source": "redis", "state": "down" }));
    let confirmed = Instant::now();
    confirm(&parts.server, &document).await;
    let seen = until_done(&mut viewer).await;

    let update = seen.iter().rfind(|message| message.name == "document_update").unwrap();
    assert_eq!((update.text("document_id"), update.text("status")), (document, "complete".into()));
    // The pipeline waits 2 s for its events before it writes an end, which is then seen within 6 s.
    assert!(confirmed.elapsed() < Duration::from_secs(10), "{:?}", confirmed.elapsed());
}

#[tokio::test]
async fn a_job_that_outlives_the_outage_gets_its_steps_after_it_once() {
    let mut parts = start();
    let mut viewer = Viewer::open(parts.server.get(STREAM)).await;
    viewer.until("connected").await;
    parts.redis.crash();
    viewer.until("source").await;

    for stage in STAGES {
        let body = json!({ "patient_id": "p1", "document_id": "d1", "stage": stage });
        let answer = parts.server.post("/api/v1/progress", &body).send().await.unwrap();
        let answer: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(answer["stored"], false);
    }
    parts.redis.start_again();
    let seen = until_done(&mut viewer).await;

    assert_eq!(stages(&seen), STAGES);
    assert!(seen.iter().any(|message| message.data == json!({ "source": "redis", "state": "up" })));
}

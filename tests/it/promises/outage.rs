//! Redis goes away and comes back: fewer steps are seen meanwhile, never a wrong outcome.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{
    Cutter, Server, Viewer,
    documents::{STAGES, confirm, emit, put},
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

#[tokio::test]
async fn thirty_seconds_without_redis_cost_steps_but_no_outcome_and_no_step_twice() {
    let redis = Redis::start();
    let front = RedisRest::with_token(&redis, "t");
    let line = Cutter::before(&front.url).await;
    let server = Server::start(&[("UPSTASH_REDIS_REST_URL", &line.url), ("UPSTASH_REDIS_REST_TOKEN", "t")]);
    let mut viewer = Viewer::open(server.get(STREAM)).await;
    viewer.until("connected").await;
    let document = put(&server, "p1", "lab_report.pdf").await;
    for stage in &STAGES[..3] {
        emit(&server, "p1", "d1", stage).await;
    }
    let mut seen = Vec::new();
    while stages_of(&seen, "d1").len() < 3 {
        seen.push(viewer.next().await.unwrap());
    }

    line.cut();
    let crashed = Instant::now();
    viewer.until("source").await;
    emit(&server, "p1", "d1", STAGES[3]).await;
    // Another job runs from its beginning to its end inside the outage.
    confirm(&server, &document).await;
    let update = async {
        loop {
            let update = viewer.until("document_update").await;
            if update.text("status") == "complete" {
                return update;
            }
        }
    };
    let update = tokio::time::timeout(Duration::from_secs(10), update).await.expect("the outcome comes");
    assert_eq!(update.text("document_id"), document);
    assert!(crashed.elapsed() < Duration::from_secs(30));
    tokio::time::sleep(Duration::from_secs(30).saturating_sub(crashed.elapsed())).await;
    line.mend();
    for stage in &STAGES[4..] {
        emit(&server, "p1", "d1", stage).await;
    }

    // Redis still holds what it held: nothing is missing, and nothing is said to be.
    while stages_of(&seen, "d1").len() < STAGES.len() {
        seen.push(viewer.next().await.unwrap());
    }
    seen.extend(until_done(&mut viewer).await);
    assert!(seen.iter().all(|message| message.data["gap"] != true));
    assert_eq!(stages_of(&seen, "d1"), STAGES);
    let ended = seen.last().unwrap().data["documents"].as_array().unwrap().clone();
    assert!(ended.iter().all(|document| document["status"] == "complete"), "{ended:?}");
}

fn stages_of(seen: &[Message], document: &str) -> Vec<String> {
    let of_document =
        |message: &&Message| message.name == "progress" && message.text("document_id") == document;
    seen.iter().filter(of_document).map(|message| message.text("stage")).collect()
}

#[tokio::test]
async fn a_flushed_redis_is_said_as_a_gap_and_the_stream_goes_on() {
    let parts = start();
    let mut viewer = Viewer::open(parts.server.get(STREAM)).await;
    viewer.until("connected").await;
    emit(&parts.server, "p1", "d1", STAGES[0]).await;
    viewer.until("progress").await;

    parts.redis.flush().await;
    let anew = viewer.until("connected").await;
    assert_eq!((&anew.data["gap"], &anew.data["resumed"]), (&json!(true), &json!(false)));
    emit(&parts.server, "p1", "d1", STAGES[1]).await;

    assert_eq!(viewer.until("progress").await.text("stage"), STAGES[1]);
}

//! `POST /api/v1/progress/batch`.

use serde_json::{Value, json};

use super::{accepted, refused};
use crate::support::{
    Server, Viewer,
    tokens::{KEYS, SERVICE_KEY, viewer},
};

const BATCH: &str = "/api/v1/progress/batch";

fn events(count: usize) -> Vec<Value> {
    let event = |number| json!({ "patient_id": "p1", "document_id": "d1", "stage": "ocr_started", "event_id": format!("e-{number}") });
    (0..count).map(event).collect()
}

async fn connected(server: &Server) -> Viewer {
    let mut watching = Viewer::open(server.get("/api/v1/patients/p1/documents/stream?follow=1")).await;
    watching.until("connected").await;
    watching
}

#[tokio::test]
async fn a_hundred_events_arrive_in_order_and_each_has_an_answer() {
    let server = Server::start(&[]);
    let mut watching = connected(&server).await;

    let answer = accepted(server.post(BATCH, &json!({ "events": events(100) }))).await;

    let answers = answer["events"].as_array().unwrap();
    assert_eq!(answers.len(), 100);
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(answer["event_id"], format!("e-{number}"));
        assert_eq!((&answer["stored"], &answer["viewers"]), (&json!(true), &json!(1)));
        assert_eq!(watching.until("progress").await.text("event_id"), format!("e-{number}"));
    }
}

#[tokio::test]
async fn one_wrong_event_is_named_and_none_is_taken() {
    let server = Server::start(&[]);
    let mut watching = connected(&server).await;
    let mut wrong = events(3);
    wrong[1]["stage"] = json!("ocr_begun");

    let answer = server.post(BATCH, &json!({ "events": wrong })).send().await.unwrap();
    let status = answer.status();
    let problem: Value = answer.json().await.unwrap();
    accepted(server.post(BATCH, &json!({ "events": [events(8)[7]] }))).await;

    assert_eq!(status, 400);
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("`events[1]`") && detail.contains("ocr_started"), "{detail}");
    assert_eq!(watching.until("progress").await.text("event_id"), "e-7");
}

#[tokio::test]
async fn what_is_not_a_batch_is_refused() {
    let server = Server::start(&KEYS);
    let post = |body: &Value| server.post(BATCH, body).bearer_auth(SERVICE_KEY);
    let wide = "x".repeat(300 * 1_024);

    assert_eq!(refused(post(&json!({ "events": [] }))).await, 400);
    assert_eq!(refused(post(&json!({ "events": events(101) }))).await, 400);
    assert_eq!(refused(post(&json!(events(2)))).await, 400);
    assert_eq!(refused(post(&json!({ "events": [], "note": wide }))).await, 413);
    let body = json!({ "events": events(1) });
    assert_eq!(refused(server.post(BATCH, &body)).await, 401);
    assert_eq!(refused(server.post(BATCH, &body).bearer_auth(viewer(&["doc_progress:*"]))).await, 401);
}

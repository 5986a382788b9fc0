//! `POST /api/v1/progress`.

use serde_json::{Value, json};

use super::{accepted, refused};
use crate::support::{
    Server, Viewer,
    tokens::{KEYS, SERVICE_KEY, keys_and, viewer},
};

const PROGRESS: &str = "/api/v1/progress";
const FOLLOW: &str = "/api/v1/patients/p1/documents/stream?follow=1";

#[tokio::test]
async fn the_answer_says_what_became_of_the_event_and_where_to_watch() {
    let server = Server::start(&[]);
    let mut watching = connected(&server).await;

    let named = accepted(server.post(PROGRESS, &with(json!({ "event_id": "e-1" })))).await;
    let unnamed = accepted(server.post(PROGRESS, &with(json!({})))).await;

    let url = "/api/v1/patients/p1/documents/stream?document_id=d1";
    assert_eq!(named, json!({ "event_id": "e-1", "stored": true, "viewers": 1, "stream_url": url }));
    assert_eq!(watching.until("progress").await.text("event_id"), "e-1");
    assert_eq!(watching.until("progress").await.data["event_id"], unnamed["event_id"]);
}

#[tokio::test]
async fn viewers_get_every_field_of_the_contract_and_what_else_was_said() {
    let server = Server::start(&[]);
    let mut watching = connected(&server).await;

    accepted(server.post(PROGRESS, &with(json!({ "event_id": "e-1" })))).await;
    let full = json!({
        "stage": "ocr_complete", "status": "in_progress", "percent": 44, "label": "Reading", "detail": "page 2 of 5",
        "timestamp": "2026-04-05T12:00:00Z", "event_id": "e-2", "worker": { "zone": "b" },
    });
    accepted(server.post(PROGRESS, &with(full.clone()))).await;
    let (short, long) = (watching.next().await.unwrap(), watching.next().await.unwrap());

    assert_eq!(short.data["step"], 2);
    assert_eq!(short.data["total_steps"], 6);
    assert_eq!(short.data["percent"], 20);
    assert_eq!(short.data["status"], "started");
    assert!(!short.text("label").is_empty() && !short.text("timestamp").is_empty());
    assert_eq!(short.data["detail"], json!(null));
    for (field, value) in full.as_object().unwrap() {
        assert_eq!(&long.data[field], value, "{field}");
    }
    assert_eq!(long.data["step"], 3);
    assert_eq!(long.data.get("patient_id"), None, "who it is about stands in the channel");
}

#[tokio::test]
async fn a_repeat_under_the_same_event_id_is_seen_once() {
    let server = Server::start(&[]);
    let mut watching = connected(&server).await;

    for event_id in ["e-1", "e-1", "e-2"] {
        accepted(server.post(PROGRESS, &with(json!({ "event_id": event_id })))).await;
    }

    assert_eq!(watching.next().await.unwrap().text("event_id"), "e-1");
    assert_eq!(watching.next().await.unwrap().text("event_id"), "e-2");
}

#[tokio::test]
async fn percent_never_goes_back_within_an_attempt_and_a_new_upload_starts_afresh() {
    let server = Server::start(&[]);
    let mut watching = connected(&server).await;

    for event in [
        json!({ "percent": 40 }),
        json!({ "percent": 25 }),
        json!({ "stage": "ocr_complete", "status": "failed" }),
        json!({ "stage": "upload_received" }),
    ] {
        accepted(server.post(PROGRESS, &with(event))).await;
    }
    let mut percents = Vec::new();
    while percents.len() < 4 {
        let step = watching.until("progress").await;
        percents.push((step.data["percent"].as_u64().unwrap(), step.data["attempt"].as_u64().unwrap()));
    }

    assert_eq!(percents, [(40, 1), (40, 1), (40, 1), (10, 2)]);
}

#[tokio::test]
async fn only_services_are_let_in() {
    let server = Server::start(&KEYS);
    let request = || server.post(PROGRESS, &with(json!({})));

    assert_eq!(refused(request()).await, 401);
    assert_eq!(refused(request().bearer_auth("service-key-of-another")).await, 401);
    assert_eq!(refused(request().bearer_auth(viewer(&["doc_progress:*"]))).await, 401);
    accepted(request().bearer_auth(SERVICE_KEY)).await;
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let server = Server::start(&keys_and(&[]));

    for (field, value) in [
        ("patient_id", json!("a b")),
        ("patient_id", json!(null)),
        ("document_id", json!("")),
        ("stage", json!("ocr_begun")),
        ("status", json!("done")),
        ("percent", json!(101)),
        ("label", json!("two\nlines")),
        ("detail", json!("x".repeat(201))),
        ("timestamp", json!("yesterday")),
        ("event_id", json!("a/b")),
        ("attempt", json!(0)),
    ] {
        let request = server.post(PROGRESS, &with(json!({ field: value }))).bearer_auth(SERVICE_KEY);
        let answer = request.send().await.unwrap();

        assert_eq!(answer.status(), 400, "{field}");
        let problem: Value = answer.json().await.unwrap();
        assert!(problem["detail"].as_str().unwrap().contains(field), "{problem}");
    }
}

#[tokio::test]
async fn an_event_is_at_most_16_kib() {
    let server = Server::start(&[]);
    let of = |size: usize| server.post(PROGRESS, &with(json!({ "note": "x".repeat(size) })));

    accepted(of(15 * 1_024)).await;

    assert_eq!(refused(of(16 * 1_024)).await, 413);
    assert_eq!(refused(of(64 * 1_024)).await, 413);
}

/// A whole event with some fields more or other.
fn with(fields: Value) -> Value {
    let mut event = json!({ "patient_id": "p1", "document_id": "d1", "stage": "ocr_started" });
    event.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    event
}

async fn connected(server: &Server) -> Viewer {
    let mut viewer = Viewer::open(server.get(FOLLOW)).await;
    viewer.until("connected").await;
    viewer
}

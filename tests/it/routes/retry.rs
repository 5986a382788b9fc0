//! `POST /api/v1/documents/{document_id}/retry`.

use futures::future::join_all;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::{accepted, refused};
use crate::support::{
    Message, Server, Site, Viewer,
    documents::{STAGES, confirm, fixture, put, read_named},
    tokens::{KEYS, SERVICE_KEY, viewer},
};

const STREAM: &str = "/api/v1/patients/p1/documents/stream";

fn retry(server: &Server, document: &str) -> RequestBuilder {
    server.post(&format!("/api/v1/documents/{document}/retry"), &Value::Null)
}

/// Puts another file in the place of a confirmed one, as an operator may.
fn replace(server: &Server, document: &str, name: &str) {
    std::fs::write(server.folder.path().join("data/files").join(document), fixture(name)).unwrap();
}

async fn failed(server: &Site) -> String {
    let document = put(server, "p1", "encrypted.pdf").await;
    confirm(server, &document).await;
    let seen = read_named(server, "p1", &document).await;
    assert_eq!(seen.last().unwrap().data["documents"][0]["reason"], "encrypted");
    document
}

fn steps(seen: &[Message]) -> Vec<(String, u64, u64)> {
    let steps = seen.iter().filter(|message| message.name == "progress");
    let number = |step: &Message, field: &str| step.data[field].as_u64().unwrap();
    steps.map(|step| (step.text("stage"), number(step, "attempt"), number(step, "percent"))).collect()
}

#[tokio::test]
async fn a_failed_document_is_tried_again_afresh_as_the_next_attempt() {
    let server = Server::start(&[]);
    let document = put(&server, "p1", "encrypted.pdf").await;
    let mut follower = Viewer::open(server.get(&format!("{STREAM}?follow=1"))).await;
    let once = Viewer::open(server.get(STREAM)).await;
    confirm(&server, &document).await;
    let first = once.rest().await;
    follower.until("done").await;
    replace(&server, &document, "lab_report.pdf");

    let answer = retry(&server, &document).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    let answer: Value = answer.json().await.unwrap();
    assert_eq!((&answer["status"], &answer["attempt"]), (&json!("uploaded"), &json!(2)));
    let cursor = first.last().unwrap().id.clone().unwrap();
    let second = Viewer::open(server.get(STREAM).header("Last-Event-ID", cursor)).await.rest().await;
    let mut followed = Vec::new();
    while followed.last().is_none_or(|message: &Message| message.name != "done") {
        followed.push(follower.next().await.unwrap());
    }

    let percents = [10, 20, 50, 60, 85, 100];
    let afresh: Vec<_> =
        STAGES.iter().zip(percents).map(|(stage, percent)| (stage.to_string(), 2, percent)).collect();
    assert!(steps(&first).iter().all(|(_, attempt, _)| *attempt == 1), "{first:?}");
    assert_eq!(steps(&second), afresh, "a viewer that comes back for it");
    assert_eq!(steps(&followed), afresh, "a viewer that stayed");
    for seen in [&second, &followed] {
        assert_eq!(seen.last().unwrap().data["documents"][0]["status"], "complete");
    }
    let listed = accepted(server.get("/api/v1/patients/p1/documents")).await["documents"][0].clone();
    assert_eq!((&listed["status"], &listed["attempt"]), (&json!("complete"), &json!(2)));
    assert_eq!(listed["reason"], Value::Null);
}

#[tokio::test]
async fn a_document_that_fails_again_may_be_tried_again() {
    let server = Server::start(&[]);
    let document = failed(&server).await;

    for attempt in [2, 3] {
        let answer: Value = retry(&server, &document).send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["attempt"], attempt);
        let stream = format!("{STREAM}?document_id={document}");
        let seen = Viewer::open(server.get(&stream)).await.rest().await;
        let end = &seen.last().unwrap().data["documents"][0];
        assert_eq!((&end["status"], &end["reason"]), (&json!("failed"), &json!("encrypted")));
    }
}

#[tokio::test]
async fn eight_retries_at_once_are_one_attempt() {
    let server = Server::start(&[]);
    let document = failed(&server).await;
    replace(&server, &document, "mri_knee.pdf");

    let answers = join_all((0..8).map(|_| retry(&server, &document).send())).await;
    let seen = read_named(&server, "p1", &document).await;

    let mut statuses: Vec<_> =
        answers.iter().map(|answer| answer.as_ref().unwrap().status().as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 409, 409, 409, 409, 409, 409, 409]);
    let end = &seen.last().unwrap().data["documents"][0];
    assert_eq!(end["status"], "complete");
    let listed = accepted(server.get("/api/v1/patients/p1/documents")).await;
    assert_eq!(listed["documents"][0]["attempt"], 2);
    let metrics = server.get("/metrics").send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("tidings_documents_retried_total 1\n"), "{metrics}");
}

#[tokio::test]
async fn what_has_not_failed_is_not_tried_again() {
    let server = Server::start(&[]);
    let put_only = put(&server, "p1", "mri_knee.pdf").await;
    let complete = put(&server, "p1", "mri_knee.pdf").await;
    confirm(&server, &complete).await;
    read_named(&server, "p1", &complete).await;

    assert_eq!(refused(retry(&server, &put_only)).await, 409);
    assert_eq!(refused(retry(&server, &complete)).await, 409);
    assert_eq!(refused(retry(&server, "nobody-s")).await, 404);
    assert_eq!(refused(retry(&server, "a%20b")).await, 400);
}

#[tokio::test]
async fn only_who_may_see_the_patient_may_try_again() {
    let server = Server::start(&KEYS);
    let token = viewer(&["doc_progress:p1"]);
    let document = failed(&server.shown(SERVICE_KEY)).await;

    assert_eq!(refused(retry(&server, &document)).await, 401);
    assert_eq!(refused(retry(&server, &document).bearer_auth(viewer(&["doc_progress:p2"]))).await, 404);
    let by_viewer = retry(&server, &document).bearer_auth(&token).send().await.unwrap();
    assert_eq!(by_viewer.status(), StatusCode::ACCEPTED);
    let answer: Value = by_viewer.json().await.unwrap();
    let stream = server.get(answer["stream_url"].as_str().unwrap());
    let seen = Viewer::open(stream.bearer_auth(answer["token"].as_str().unwrap())).await.rest().await;
    assert_eq!(seen.last().unwrap().name, "done");
    let by_service = retry(&server, &document).bearer_auth(SERVICE_KEY).send().await.unwrap();
    assert_eq!(by_service.status(), StatusCode::ACCEPTED);
}

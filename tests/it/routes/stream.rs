//! `GET /api/v1/patients/{patient_id}/documents/stream`.

mod access;
mod cursors;
mod narrowed;
mod socket;

use reqwest::{Response, StatusCode};
use serde_json::json;

use super::refused;
use crate::support::{Server, Viewer, documents::emit, viewer::names};

const STREAM: &str = "/api/v1/patients/p1/documents/stream";
const FOLLOW: &str = "/api/v1/patients/p1/documents/stream?follow=1";

#[tokio::test]
async fn nothing_between_may_hold_back_or_compress_it() {
    let server = Server::start(&[]);

    let mut answer = server.get(STREAM).header("Accept-Encoding", "gzip, br").send().await.unwrap();

    assert_eq!(answer.status(), 200);
    assert_eq!(header(&answer, "content-type"), Some("text/event-stream"));
    assert_eq!(header(&answer, "cache-control"), Some("no-cache, no-transform"));
    assert_eq!(header(&answer, "x-accel-buffering"), Some("no"));
    assert_eq!(header(&answer, "content-encoding"), None);
    assert_eq!(header(&answer, "content-length"), None);
    assert!(answer.chunk().await.unwrap().unwrap().starts_with(b"retry: 1000\n\n"));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_before_the_stream_starts() {
    let server = Server::start(&[]);
    let too_many = format!("{STREAM}?{}", "document_id=d1&".repeat(51));
    let bad = [
        "/api/v1/patients/a%20b/documents/stream",
        "/api/v1/patients/%00/documents/stream",
        "/api/v1/patients/p1/documents/stream?document_id=a:b",
        "/api/v1/patients/p1/documents/stream?document_id=",
        "/api/v1/patients/p1/documents/stream?events=no%0Aname",
        "/api/v1/patients/p1/documents/stream?follow=perhaps",
        &too_many,
    ];

    for path in bad {
        assert_eq!(refused(server.get(path)).await, 400, "{path}");
    }
}

#[tokio::test]
async fn whom_there_is_no_room_for_is_asked_to_come_back_later() {
    let server = Server::start(&[("MAX_STREAMS", "1")]);
    let mut first = Viewer::open(server.get(STREAM)).await;
    first.until("connected").await;

    let second = Viewer::open(server.get(STREAM)).await;

    assert_eq!(second.status, StatusCode::OK, "EventSource gives up for ever on anything else");
    assert_eq!(second.headers["content-type"], "text/event-stream");
    let seen = second.rest().await;
    assert_eq!(names(&seen), ["reconnect"]);
    assert_eq!((seen[0].data.clone(), seen[0].retry), (json!({ "reason": "overloaded" }), Some(15_000)));
}

#[tokio::test]
async fn it_ends_before_the_platform_s_limit_and_loses_nothing_across_the_seam() {
    let server = Server::start(&[("STREAM_MAX_SECONDS", "5")]);
    let mut viewer = Viewer::open(server.get(FOLLOW)).await;
    let connected = viewer.until("connected").await.id.unwrap();

    let ended = viewer.rest().await;
    emit(&server, "p1", "d1", "ocr_started").await;
    let mut viewer = Viewer::open(server.get(FOLLOW).header("Last-Event-ID", connected)).await;

    assert_eq!(names(&ended), ["reconnect"]);
    assert_eq!((ended[0].text("reason").as_str(), &ended[0].id), ("max_duration", &None));
    assert_eq!(viewer.until("connected").await.data["resumed"], true);
    assert_eq!(viewer.next().await.unwrap().name, "progress");
}

fn header<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    answer.headers().get(name).map(|value| value.to_str().unwrap())
}

//! Rates and counts by address and by token, on real sockets.

use std::time::{Duration, Instant};

use reqwest::RequestBuilder;
use tokio::{io::AsyncReadExt, time::sleep};

use super::{accepted, refused};
use crate::support::{
    Message, Server, Viewer,
    tokens::{KEYS, SERVICE_KEY, keys_and, viewer},
    viewer::{PATIENCE, names},
};

const STREAM: &str = "/api/v1/patients/p1/documents/stream";
const LIST: &str = "/api/v1/patients/p1/documents";

/// Sets one limit on a server with keys.
fn limited(name: &str, most: &str, more: &[(&str, &str)]) -> Server {
    Server::start(&keys_and(&[&[(name, most)], more].concat()))
}

/// What a stream tells that is refused for now.
fn is_asked_back(seen: &[Message]) -> bool {
    names(seen) == ["reconnect"] && seen[0].text("reason") == "overloaded" && seen[0].retry == Some(15_000)
}

async fn open(request: RequestBuilder) -> Result<Viewer, Vec<Message>> {
    let mut stream = Viewer::open(request).await;
    assert_eq!(stream.status, 200, "any other answer ends an EventSource for good");
    let first = stream.next().await.unwrap();
    if first.name == "reconnect" {
        return Err(vec![first]);
    }
    Ok(stream)
}

/// Waits until what was given back is there again.
async fn opens_again(request: impl Fn() -> RequestBuilder) -> Viewer {
    let begun = Instant::now();
    loop {
        if let Ok(stream) = open(request()).await {
            return stream;
        }
        assert!(begun.elapsed() < PATIENCE, "a place that was given back stays taken");
        sleep(Duration::from_millis(50)).await;
    }
}

async fn count(server: &Server, limit: &str) -> u64 {
    let metrics = server.get("/metrics").bearer_auth(SERVICE_KEY).send().await.unwrap().text().await.unwrap();
    let name = format!("tidings_limited_total{{limit=\"{limit}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse().unwrap()
}

#[tokio::test]
async fn an_address_that_asks_too_often_is_told_when_to_come_back_and_services_are_not() {
    let server =
        limited("RATE_LIMIT_PER_ADDRESS", "20", &[("CORS_ALLOWED_ORIGINS", "https://app.example.org")]);
    let token = viewer(&["doc_progress:p1"]);
    let ask = || server.get(LIST).bearer_auth(&token).header("Origin", "https://app.example.org");
    for _ in 0..20 {
        accepted(ask()).await;
    }

    let answer = ask().send().await.unwrap();
    let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    let may_be_read = answer.headers().contains_key("access-control-allow-origin");
    let other_token = server.get(LIST).bearer_auth(viewer(&["doc_progress:p1"]));

    assert_eq!(answer.status(), 429);
    assert!((1..=60).contains(&wait) && may_be_read, "{wait}");
    assert_eq!(refused(other_token).await, 429, "the address counts, whatever it brings along");
    assert_eq!(refused(server.get(LIST)).await, 429, "and whether it holds or not");
    assert!(is_asked_back(&open(server.get(STREAM).bearer_auth(&token)).await.err().unwrap()));
    accepted(server.get(LIST).bearer_auth(SERVICE_KEY)).await;
    let callback = server.post("/api/v1/webhooks/qstash/ocr", &serde_json::Value::Null);
    assert_eq!(refused(callback).await, 404, "the queue gives up a message that is refused too often");
    for probe in ["/healthz", "/readyz"] {
        assert_eq!(server.get(probe).send().await.unwrap().status(), 200);
    }
    assert!(count(&server, "requests_per_address").await >= 4);
}

#[tokio::test]
async fn a_token_that_asks_too_often_is_refused_however_it_comes_and_others_are_not() {
    let server = limited("RATE_LIMIT_PER_TOKEN", "5", &[]);
    let (token, other) = (viewer(&["doc_progress:p1"]), viewer(&["doc_progress:p1", "chat:c1"]));
    for _ in 0..5 {
        accepted(server.get(LIST).bearer_auth(&token)).await;
    }

    assert_eq!(refused(server.get(LIST).bearer_auth(&token)).await, 429);
    assert_eq!(refused(server.get(&format!("{LIST}?token={token}"))).await, 429);
    assert_eq!(refused(server.get(LIST).header("Cookie", format!("tidings_token={token}"))).await, 429);
    accepted(server.get(LIST).bearer_auth(&other)).await;
    assert_eq!(count(&server, "requests_per_token").await, 3);
}

#[tokio::test]
async fn a_token_holds_so_many_streams_and_a_closed_one_makes_room() {
    let more = [("HEARTBEAT_INTERVAL_MS", "200"), ("STREAM_KINDS", "imports")];
    let server = limited("MAX_STREAMS_PER_TOKEN", "2", &more);
    let token = viewer(&["doc_progress:p1", "chat:c1", "imports:i1"]);
    let own = || server.get(STREAM).bearer_auth(&token);
    let first = open(own()).await.ok().unwrap();
    let _chat = open(server.get("/api/v1/cases/c1/chat/stream").bearer_auth(&token)).await.ok().unwrap();

    let third = open(own()).await.err().unwrap();
    let import = open(server.get("/api/v1/streams/imports/i1").bearer_auth(&token)).await.err().unwrap();
    let other = open(server.get(STREAM).bearer_auth(viewer(&["doc_progress:p1"]))).await;
    accepted(server.get(LIST).bearer_auth(&token)).await;
    drop(first);
    let _again = opens_again(own).await;

    assert!(is_asked_back(&third) && is_asked_back(&import) && other.is_ok());
    assert!(count(&server, "streams_per_token").await >= 2);
}

#[tokio::test]
async fn behind_a_proxy_the_address_it_names_counts_and_none_that_a_viewer_made_up() {
    let more = [("TRUSTED_PROXY_HOPS", "1"), ("HEARTBEAT_INTERVAL_MS", "200")];
    let server = limited("MAX_STREAMS_PER_ADDRESS", "2", &more);
    let from = |forwarded: &str| {
        let token = viewer(&["doc_progress:p1"]);
        server.get(STREAM).bearer_auth(token).header("X-Forwarded-For", forwarded)
    };
    let _first = open(from("198.51.100.9")).await.ok().unwrap();
    let second = open(from("203.0.113.7, 198.51.100.9")).await.ok().unwrap();

    let third = open(from("192.0.2.77, 198.51.100.9")).await.err().unwrap();
    let other = open(from("198.51.100.9, 192.0.2.77")).await;
    drop(second);
    let _again = opens_again(|| from("198.51.100.9")).await;

    assert!(is_asked_back(&third) && other.is_ok());
    assert!(count(&server, "streams_per_address").await >= 1);
}

#[tokio::test]
async fn what_a_stream_is_answered_instead_holds_no_place() {
    let server = limited("MAX_STREAMS_PER_ADDRESS", "1", &[]);
    for _ in 0..3 {
        assert_eq!(refused(server.get(STREAM)).await, 401);
    }

    assert!(open(server.get(STREAM).bearer_auth(viewer(&["doc_progress:p1"]))).await.is_ok());
}

#[tokio::test]
async fn an_address_holds_so_many_connections() {
    let server = limited("MAX_CONNECTIONS_PER_ADDRESS", "3", &[]);
    let held = [server.connect().await, server.connect().await, server.connect().await];

    let mut fourth = server.connect().await;
    let answer = tokio::time::timeout(PATIENCE, fourth.read(&mut [0; 1])).await.expect("it is hung up");
    drop(held);
    let begun = Instant::now();
    while server.http.get(format!("{}/healthz", server.url)).send().await.is_err() {
        assert!(begun.elapsed() < PATIENCE, "connections that were closed still count");
        sleep(Duration::from_millis(50)).await;
    }

    assert!(matches!(answer, Ok(0) | Err(_)), "{answer:?}");
    assert!(count(&server, "connections_per_address").await >= 1);
}

#[tokio::test]
async fn in_development_nothing_is_limited() {
    let server = Server::start(&KEYS);
    let token = viewer(&["doc_progress:p1"]);

    let mut streams = Vec::new();
    for _ in 0..40 {
        streams.push(open(server.get(STREAM).bearer_auth(&token)).await.ok().unwrap());
    }
    for _ in 0..1_500 {
        assert_eq!(server.get("/tidings.d.ts").bearer_auth(&token).send().await.unwrap().status(), 200);
    }
}

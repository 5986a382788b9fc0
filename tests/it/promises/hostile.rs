//! Hostile requests get the right refusal, take no memory with them and touch no viewer.

mod requests;

use futures::{StreamExt, future::ready, stream};
use reqwest::{Response, header::CONTENT_TYPE};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use self::requests::Hostile;
use crate::support::{
    Message, Server, Viewer,
    random::seed,
    tokens::{SERVICE_KEY, keys_and, viewer},
    viewer::names,
};

const REQUESTS: usize = 10_000;
const LARGE_REQUESTS: usize = 100;
const AT_ONCE: usize = 50;
/// Fills what every server fills once: connections, buffers, tables of its allocator.
const WARM_UP: usize = 500;
const LARGE_WARM_UP: usize = 50;
const MAY_GROW: u64 = 20 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_hostile_requests_are_refused_and_harm_nobody() {
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let server = Server::start(&keys_and(&[("HEARTBEAT_INTERVAL_MS", "500")]));
    let viewers = [connect(&server).await, connect(&server).await];
    let viewers = viewers.map(|viewer| tokio::spawn(read_to_progress(viewer)));

    attack(&server, &mut random, WARM_UP, LARGE_WARM_UP).await;
    let before = server.resident_bytes();
    let wrong = attack(&server, &mut random, REQUESTS, LARGE_REQUESTS).await;
    let grown = server.resident_bytes().saturating_sub(before);
    let good = json!({ "patient_id": "p1", "document_id": "d1", "stage": "ocr_started" });
    let accepted = server.post("/api/v1/progress", &good).bearer_auth(SERVICE_KEY).send().await.unwrap();

    println!("memory grew by {grown} bytes");
    assert_eq!(wrong, [""; 0], "TEST_SEED={seed}");
    assert!(grown < MAY_GROW, "memory grew by {grown} bytes");
    assert_eq!(accepted.status(), 202);
    for raw in ["\r", "\0", "\u{85}", "\u{1b}[2J", "\nevent: done"] {
        assert!(!server.log().contains(raw), "{raw:?} got into the log");
    }
    for seen in viewers {
        let seen = seen.await.unwrap();
        assert_eq!(names(&seen), ["connected", "progress"]);
        assert_eq!(seen[0].data["documents"], json!([]));
    }
}

/// The HTTP layer answers these by itself, before any route.
#[tokio::test]
async fn what_is_not_http_gets_a_bare_400_and_the_connection_ends() {
    let server = Server::start(&keys_and(&[]));

    for bad in [
        "GET /healthz HTTP/1.1\r\nHost: a\r\nLast-Event-ID: a\0b\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\nLast-Event-ID : 1-0\r\n\r\n",
        "GET /healthz\0 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        "NOT HTTP AT ALL\r\n\r\n",
    ] {
        let answer = say(&server, bad).await;

        assert!(answer.starts_with("HTTP/1.1 400 "), "{bad:?}: {answer:?}");
        assert!(answer.ends_with("\r\n\r\n"), "{bad:?}: {answer:?}");
    }
}

/// Sends so many requests, and says which of them were not refused as they should be.
async fn attack(server: &Server, random: &mut fastrand::Rng, requests: usize, large: usize) -> Vec<String> {
    let every = requests / large;
    let requests = (0..requests).map(|number| match number % every {
        0 => requests::large(server, random),
        _ => requests::next(server, random, number),
    });
    stream::iter(requests).map(judge).buffer_unordered(AT_ONCE).filter_map(ready).collect().await
}

/// What is wrong with the answer to a request, if anything.
async fn judge(hostile: Hostile) -> Option<String> {
    let Hostile { what, request, expected } = hostile;
    let fault = match request.send().await {
        Ok(answer) => fault(answer, expected).await?,
        Err(error) => format!("{error:?}"),
    };
    Some(format!("{what}: {fault}"))
}

/// What is wrong with a refusal, if anything.
async fn fault(answer: Response, expected: u16) -> Option<String> {
    let status = answer.status().as_u16();
    if status != expected {
        return Some(format!("{status} in place of {expected}"));
    }
    let media_type = answer.headers().get(CONTENT_TYPE).cloned();
    if media_type.as_ref().is_none_or(|media_type| media_type != "application/problem+json") {
        return Some(format!("{status} as {media_type:?}"));
    }
    let problem: Value = match answer.json().await {
        Ok(problem) => problem,
        Err(error) => return Some(format!("{status} without its problem: {error:?}")),
    };
    let is_text = |field: &str| problem[field].as_str().is_some_and(|text| !text.is_empty());
    let is_whole = ["type", "title", "detail"].into_iter().all(is_text) && problem["status"] == expected;
    (!is_whole).then(|| format!("not a whole problem: {problem}"))
}

async fn connect(server: &Server) -> Viewer {
    let stream = server.get("/api/v1/patients/p1/documents/stream?follow=1");
    let viewer = Viewer::open(stream.bearer_auth(viewer(&["doc_progress:p1"]))).await;
    assert_eq!(viewer.status, 200);
    viewer
}

/// Reads to the first progress event, without heartbeats and bare retry lines.
async fn read_to_progress(mut viewer: Viewer) -> Vec<Message> {
    let mut seen = Vec::new();
    while seen.last().is_none_or(|message: &Message| message.name != "progress") {
        let message = viewer.next().await.expect("the stream stays open");
        if !matches!(message.name.as_str(), "heartbeat" | "") {
            seen.push(message);
        }
    }
    seen
}

/// Says something to the server's socket and gives all that it answers until it hangs up.
async fn say(server: &Server, text: &str) -> String {
    let mut connection = server.connect().await;
    connection.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

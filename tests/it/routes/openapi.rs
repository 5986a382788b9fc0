//! `GET /openapi.json`, as a validator from elsewhere reads it, and against what the server does.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};
use tidings::{
    App,
    config::{Config, Variables},
};
use tokio_util::sync::CancellationToken;

use super::accepted;
use crate::support::{
    Message, Server, Viewer,
    documents::{confirm, put},
    python,
    tokens::KEYS,
};

const METHODS: [&str; 7] = ["get", "put", "post", "delete", "options", "head", "patch"];

#[tokio::test]
async fn a_validator_from_elsewhere_accepts_the_document() {
    let server = Server::start(&KEYS);

    let document = accepted(server.get("/openapi.json")).await;

    check(&document, &[]).unwrap_or_else(|error| panic!("{error}"));
    let mut broken = document.clone();
    broken["paths"]["/healthz"]["get"]["responses"] = json!("none");
    assert!(check(&broken, &[]).is_err(), "the validator refuses");
    assert!(check(&document, &[("Refusal", json!({ "title": 1 }))]).is_err(), "so does that of samples");
}

#[tokio::test]
async fn every_route_is_described_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}/tidings.db", folder.path().display());
    let files = format!("file://{}", folder.path().display());
    let settings = Variables::of(&[("DATABASE_URL", &database), ("STORAGE_URL", &files)]);
    let app = App::start(&Config::read(&settings).unwrap(), CancellationToken::new()).await.unwrap();
    // The router itself tells no list of its routes, but shows them where it is debugged.
    let shown = format!("{:?}", app.router());
    let route = regex::Regex::new(r#"RouteId\(\d+\): "([^"]+)""#).unwrap();
    let routed = route.captures_iter(&shown).map(|found| found[1].to_owned());
    let routed: BTreeSet<_> = routed.filter(|path| !path.contains("__private__axum_fallback")).collect();
    let server = Server::start(&[]);

    let described = methods(&accepted(server.get("/openapi.json")).await);

    assert!(routed.contains("/healthz"), "the routes are found: {shown}");
    assert_eq!(described.keys().cloned().collect::<BTreeSet<_>>(), routed);
    for (path, methods) in &described {
        assert_eq!(*methods, allowed(&server, path).await, "{path}");
    }
    app.finish().await;
}

#[tokio::test]
async fn what_is_answered_and_streamed_is_as_described() {
    let server = Server::start(&KEYS);
    let key = |request: reqwest::RequestBuilder| request.bearer_auth(KEYS[1].1);
    let document = accepted(server.get("/openapi.json")).await;
    let presign = json!({
        "patient_id": "p1", "filename": "a.pdf", "content_type": "application/pdf", "size": 10,
    });
    let event = json!({
        "patient_id": "p1", "document_id": "d1", "stage": "ocr_started", "percent": 30, "page": 2,
    });
    let stream = "/api/v1/patients/p1/documents/stream";
    let viewer = Viewer::open(key(server.get(stream))).await;

    let refusal = server.get(stream).send().await.unwrap().json().await.unwrap();
    let presigned = accepted(key(server.post("/api/v1/uploads/presign", &presign))).await;
    let asked = json!({ "channels": ["doc_progress:p1"] });
    let token = accepted(key(server.post("/api/v1/tokens", &asked))).await;
    let published = accepted(key(server.post("/api/v1/progress", &event))).await;
    let ended = json!({ "patient_id": "p1", "document_id": "d1", "stage": "matching_complete" });
    accepted(key(server.post("/api/v1/progress", &ended))).await;
    let list = accepted(key(server.get("/api/v1/patients/p1/documents"))).await;
    let told = viewer.rest().await;

    let mut samples = vec![
        ("Refusal", refusal),
        ("PresignRequest", presign),
        ("PresignAnswer", presigned),
        ("TokenRequest", asked),
        ("TokenAnswer", token),
        ("PublishRequest", event),
        ("PublishAnswer", published),
        ("DocumentList", list),
    ];
    let names: BTreeSet<_> = told.iter().map(|message| message.name.clone()).collect();
    for name in ["connected", "progress", "done"] {
        assert!(names.contains(name), "{names:?}");
    }
    for message in told {
        samples.push(("DocumentStreamEvent", json!({ "event": message.name, "data": message.data })));
    }
    check(&document, &samples).unwrap_or_else(|error| panic!("{error}"));
}

#[tokio::test]
async fn a_confirmed_upload_is_streamed_as_described() {
    let server = Server::start(&[("STREAM_MAX_SECONDS", "5")]);
    let document = accepted(server.get("/openapi.json")).await;
    let upload = put(&server, "p1", "mri_knee.pdf").await;
    let viewer = Viewer::open(server.get("/api/v1/patients/p1/documents/stream?follow=1")).await;

    let confirmed = confirm(&server, &upload).await;
    let told = viewer.rest().await;

    let mut samples = vec![
        ("ConfirmAnswer", confirmed),
        ("DocumentList", accepted(server.get("/api/v1/patients/p1/documents")).await),
    ];
    for name in ["document_update", "done", "reconnect"] {
        assert!(told.iter().any(|message| message.name == name), "{name}");
    }
    for message in told {
        samples.push(("DocumentStreamEvent", json!({ "event": message.name, "data": message.data })));
    }
    check(&document, &samples).unwrap_or_else(|error| panic!("{error}"));
}

#[tokio::test]
async fn a_chat_is_streamed_as_described() {
    let server = Server::start(&[]);
    let document = accepted(server.get("/openapi.json")).await;
    let (stream, events) = ("/api/v1/cases/c1/chat/stream", "/api/v1/streams/chat/c1/events");
    let question = json!({ "id": "q1", "content": "Is it enough?", "sender": { "name": "Ada" } });
    let mut samples =
        vec![("ChatMessage", accepted(server.post("/api/v1/cases/c1/messages", &question)).await)];
    let piece = |index: u32| json!({ "type": "token", "data": { "message_id": "a1", "index": index, "text": "Yes" } });
    accepted(server.post(events, &piece(0))).await;
    let viewer = Viewer::open(server.get(stream)).await;

    for event in [
        json!({ "type": "typing", "data": { "name": "Ada" } }),
        json!({ "type": "agent_joined", "data": { "name": "Eve" } }),
        piece(1),
        json!({ "type": "checkpoint", "data": { "message_id": "a1", "text": "YesYesYes", "next_index": 3 } }),
        json!({ "type": "message", "data": { "id": "a1", "content": "YesYesYes", "role": "assistant" } }),
        json!({ "type": "answer_done", "data": { "message_id": "a1", "model": "m" } }),
        json!({ "type": "note", "data": [1] }),
    ] {
        samples.push(("PublishAnswer", accepted(server.post(events, &event)).await));
        samples.push(("TypedEventRequest", event));
    }
    let told = told_to_the_end(server, viewer, "note").await;

    let names =
        ["connected", "typing", "agent_joined", "token", "message", "answer_done", "note", "reconnect"];
    assert_are_among(&names, &told);
    check_stream(&document, "ChatStreamEvent", told, samples);
}

#[tokio::test]
async fn any_other_work_is_streamed_as_described() {
    let server = Server::start(&[("STREAM_KINDS", "transcode")]);
    let document = accepted(server.get("/openapi.json")).await;
    let (stream, events) = ("/api/v1/streams/transcode/j1", "/api/v1/streams/transcode/j1/events");
    accepted(server.post(events, &json!({ "type": "frame.done", "data": { "n": 1 } }))).await;
    let viewer = Viewer::open(server.get(stream)).await;

    accepted(server.post(events, &json!({ "type": "progress" }))).await;
    let told = told_to_the_end(server, viewer, "progress").await;

    assert_are_among(&["connected", "progress", "reconnect"], &told);
    check_stream(&document, "WorkStreamEvent", told, Vec::new());
}

#[tokio::test]
async fn only_streams_of_documents_are_described_with_an_end() {
    let server = Server::start(&[]);

    let document = accepted(server.get("/openapi.json")).await;

    for (path, has_end) in [
        ("/api/v1/patients/{patient_id}/documents/stream", true),
        ("/api/v1/cases/{case_id}/chat/stream", false),
        ("/api/v1/streams/{kind}/{id}", false),
    ] {
        let described = &document["paths"][path]["get"];
        let parameters = described["parameters"].as_array().unwrap();
        let takes_follow = parameters.iter().any(|parameter| parameter["name"] == "follow");
        assert_eq!((described["responses"].get("204").is_some(), takes_follow), (has_end, has_end), "{path}");
    }
}

/// Reads to the event called `last`, ends the server, and gives all that the viewer has been told by then.
async fn told_to_the_end(server: Server, mut viewer: Viewer, last: &str) -> Vec<Message> {
    let mut told = Vec::new();
    while told.last().is_none_or(|message: &Message| message.name != last) {
        told.push(viewer.next().await.expect("the stream goes on"));
    }
    server.terminate();
    told.extend(viewer.rest().await);
    told.retain(|message| !message.name.is_empty());
    told
}

fn assert_are_among(names: &[&str], told: &[Message]) {
    for name in names {
        assert!(told.iter().any(|message| message.name == *name), "{name}: {told:?}");
    }
}

/// Holds what a stream sent to its schema, which has to refuse what it does not send.
fn check_stream(document: &Value, schema: &'static str, told: Vec<Message>, samples: Vec<(&str, Value)>) {
    let shown = told.iter().map(|message| (schema, json!({ "event": message.name, "data": message.data })));
    let samples: Vec<_> = samples.into_iter().chain(shown).collect();
    let strangers = [
        json!({ "event": "done", "data": { "documents": [] } }),
        json!({ "event": "connected", "data": { "channel": "chat:c1" } }),
        json!({ "event": "reconnect", "data": { "reason": "whim" } }),
        json!({ "event": "Note", "data": {} }),
    ];
    let strangers: Vec<_> = strangers.into_iter().map(|stranger| (schema, stranger)).collect();
    judge(document, &samples, &strangers).unwrap_or_else(|error| panic!("{error}"));
}

fn check(document: &Value, samples: &[(&str, Value)]) -> Result<String, String> {
    judge(document, samples, &[])
}

/// Has the document judged, with samples of its schemas and strangers to them.
fn judge(document: &Value, samples: &[(&str, Value)], strangers: &[(&str, Value)]) -> Result<String, String> {
    let given = json!({ "document": document, "samples": samples, "strangers": strangers });
    python::run("check_openapi.py", &given.to_string())
}

/// Gives the methods of each path that the document describes.
fn methods(document: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let paths = document["paths"].as_object().unwrap().iter();
    let described = paths.map(|(path, item)| {
        let methods = item.as_object().unwrap().keys().filter(|key| METHODS.contains(&key.as_str()));
        (path.clone(), methods.cloned().collect())
    });
    described.collect()
}

/// Gives the methods that the server takes on a path.
async fn allowed(server: &Server, path: &str) -> BTreeSet<String> {
    let filled = regex::Regex::new(r"\{\w+\}").unwrap().replace_all(path, "x").into_owned();
    let request = server.http.request(Method::TRACE, format!("{}{filled}", server.url));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 405, "{path}");
    let allow = answer.headers()["allow"].to_str().unwrap().to_lowercase();
    let methods: BTreeSet<_> = allow.split(',').map(str::to_owned).collect();
    // Whoever takes GET takes HEAD.
    methods.iter().filter(|method| *method != "head" || !methods.contains("get")).cloned().collect()
}

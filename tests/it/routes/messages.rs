//! `POST /api/v1/cases/{case_id}/messages`.

use serde_json::{Value, json};

use super::{accepted, refused};
use crate::support::{
    Server,
    tokens::{SERVICE_KEY, in_seconds, keys_and, sign, viewer},
};

const MESSAGES: &str = "/api/v1/cases/c1/messages";

#[tokio::test]
async fn a_message_is_kept_once_under_its_id() {
    let server = Server::start(&[]);
    let message =
        json!({ "id": "m1", "content": "Is my scan \"enough\"?\r\nBest", "sender": { "name": "Ada" } });

    let first = server.post(MESSAGES, &message).send().await.unwrap();
    assert_eq!(first.status(), 201);
    let first: Value = first.json().await.unwrap();
    let again = server.post(MESSAGES, &message).send().await.unwrap();
    assert_eq!(again.status(), 200);

    assert_eq!(again.json::<Value>().await.unwrap(), first);
    assert_eq!((&first["id"], &first["role"]), (&json!("m1"), &json!("patient")));
    assert_eq!(first["content"], "Is my scan \"enough\"?\nBest");
    assert_eq!(first["sender"], json!({ "name": "Ada" }));
    assert!(first["timestamp"].as_str().unwrap().ends_with('Z'));
    let other = json!({ "id": "m1", "content": "Another question" });
    assert_eq!(refused(server.post(MESSAGES, &other)).await, 409);
    let elsewhere = server.post("/api/v1/cases/c2/messages", &other).send().await.unwrap();
    assert_eq!(elsewhere.status(), 201, "an id belongs to its case");
    let unnamed = json!({ "content": "x" });
    let (one, two) =
        (accepted(server.post(MESSAGES, &unnamed)).await, accepted(server.post(MESSAGES, &unnamed)).await);
    assert_ne!(one["id"], two["id"]);
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let server = Server::start(&[]);

    for (message, word) in [
        (json!({}), "content"),
        (json!({ "content": " \n " }), "content"),
        (json!({ "content": "\u{7}" }), "content"),
        (json!({ "content": "x", "id": "a/b" }), "id"),
        (json!({ "content": "x", "role": "a\nb" }), "role"),
        (json!({ "content": "x", "sender": { "name": "" } }), "sender.name"),
        (json!({ "content": "x", "sender": { "id": "a b" } }), "sender.id"),
    ] {
        let answer = server.post(MESSAGES, &message).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{message}");
        let problem: Value = answer.json().await.unwrap();
        assert!(problem["detail"].as_str().unwrap().contains(word), "{problem}");
    }
    assert_eq!(refused(server.post("/api/v1/cases/a%20b/messages", &json!({ "content": "x" }))).await, 400);
}

#[tokio::test]
async fn a_text_is_at_most_ten_kilobytes_however_it_is_written() {
    let server = Server::start(&[]);

    let quotes = accepted(server.post(MESSAGES, &json!({ "content": "\"".repeat(10 * 1_024) }))).await;

    assert_eq!(quotes["content"].as_str().unwrap().len(), 10 * 1_024);
    assert_eq!(refused(server.post(MESSAGES, &json!({ "content": "x".repeat(10 * 1_024 + 1) }))).await, 413);
    assert_eq!(refused(server.post(MESSAGES, &json!({ "content": "x".repeat(200 * 1_024) }))).await, 413);
}

#[tokio::test]
async fn a_viewer_speaks_in_its_own_part_and_case_and_a_service_for_anybody() {
    let server = Server::start(&keys_and(&[]));
    let post = |message: Value, token: String| server.post(MESSAGES, &message).bearer_auth(token);
    let claims = json!({ "exp": in_seconds(60), "sub": "u1", "role": "nurse", "channels": ["chat:c1"] });

    let nurse = accepted(post(json!({ "content": "x", "sender": { "name": "N" } }), sign(&claims))).await;
    let service = accepted(post(json!({ "content": "x", "role": "assistant" }), SERVICE_KEY.into())).await;

    assert_eq!((&nurse["role"], &nurse["sender"]), (&json!("nurse"), &json!({ "name": "N", "id": "u1" })));
    assert_eq!(service["role"], "assistant");
    assert_eq!(refused(post(json!({ "content": "x", "role": "doctor" }), sign(&claims))).await, 403);
    assert_eq!(refused(post(json!({ "content": "x", "sender": { "id": "u2" } }), sign(&claims))).await, 403);
    assert_eq!(refused(post(json!({ "content": "x" }), SERVICE_KEY.into())).await, 400);
    let answer = json!({ "content": "x", "id": "answer-1", "role": "assistant" });
    for reserved in ["answer-1", "notice-1"] {
        assert_eq!(refused(post(json!({ "content": "x", "id": reserved }), sign(&claims))).await, 403);
    }
    accepted(post(answer, SERVICE_KEY.into())).await;
    for claim in ["chat:c2", "doc_progress:*", "doc_progress:c1"] {
        assert_eq!(refused(post(json!({ "content": "x" }), viewer(&[claim]))).await, 403, "{claim}");
    }
    accepted(post(json!({ "content": "x" }), viewer(&["chat:*"]))).await;
    assert_eq!(refused(server.post(MESSAGES, &json!({ "content": "x" }))).await, 401);
}

//! `GET /api/v1/cases/{case_id}/chat/stream`, and the events of a chat.

use serde_json::{Value, json};

use super::{accepted, refused};
use crate::support::{
    Database, Redis, RedisRest, Server, Viewer,
    tokens::{SERVICE_KEY, in_seconds, keys_and, sign, viewer},
};

const STREAM: &str = "/api/v1/cases/c1/chat/stream";
const MESSAGES: &str = "/api/v1/cases/c1/messages";
const EVENTS: &str = "/api/v1/streams/chat/c1/events";

async fn connected(server: &Server) -> (Viewer, Value) {
    let mut viewer = Viewer::open(server.get(STREAM)).await;
    let snapshot = viewer.until("connected").await.data;
    (viewer, snapshot)
}

fn token(index: u64, text: &str) -> Value {
    json!({ "type": "token", "data": { "message_id": "a1", "index": index, "text": text } })
}

/// A conversation as two pages see it, with an answer amid which one of them comes.
async fn a_conversation_is_seen_whole(server: &Server) {
    let (mut first, snapshot) = connected(server).await;
    assert_eq!((&snapshot["channel"], &snapshot["messages"]), (&json!("chat:c1"), &json!([])));

    accepted(server.post(EVENTS, &json!({ "type": "typing", "data": { "role": "patient" } }))).await;
    let question = accepted(server.post(MESSAGES, &json!({ "id": "q1", "content": "Is it enough?" }))).await;
    accepted(server.post(EVENTS, &json!({ "type": "agent_joined", "data": { "name": "Eve" } }))).await;
    let answer = accepted(server.post(EVENTS, &token(0, "Yes, "))).await;
    assert_eq!(answer["stream_url"], STREAM);
    assert_eq!(first.until("typing").await.data, json!({ "role": "patient" }));
    let told = first.until("message").await;
    assert_eq!(told.data, question);
    assert_eq!(first.until("agent_joined").await.data, json!({ "name": "Eve" }));
    assert_eq!(first.until("token").await.data, json!({ "message_id": "a1", "index": 0, "text": "Yes, " }));

    let (mut late, snapshot) = connected(server).await;
    assert_eq!(snapshot["messages"], json!([question]));
    assert_eq!(snapshot["answers"], json!([{ "message_id": "a1", "text": "Yes, ", "next_index": 1 }]));
    accepted(server.post(EVENTS, &token(1, "it is."))).await;
    let answer = json!({ "id": "a1", "content": "Yes, it is.", "role": "assistant" });
    accepted(server.post(MESSAGES, &answer)).await;
    accepted(server.post(EVENTS, &json!({ "type": "answer_done", "data": { "message_id": "a1" } }))).await;
    for viewer in [&mut first, &mut late] {
        assert_eq!(viewer.until("token").await.text("text"), "it is.");
        assert_eq!(viewer.until("message").await.text("content"), "Yes, it is.");
        viewer.until("answer_done").await;
    }
    let mut back = Viewer::open(server.get(STREAM).header("Last-Event-ID", told.id.unwrap())).await;
    assert_eq!(back.until("connected").await.data["resumed"], true);
    assert_eq!(back.next().await.unwrap().name, "agent_joined");
}

#[tokio::test]
async fn a_conversation_is_seen_whole_in_memory() {
    a_conversation_is_seen_whole(&Server::start(&[])).await;
}

#[tokio::test]
async fn a_conversation_is_seen_whole_over_redis_and_postgres() {
    let (redis, database) = (Redis::start(), Database::new().await);
    let front = RedisRest::before(&redis);
    let server = Server::start(&[
        ("UPSTASH_REDIS_REST_URL", &front.url),
        ("UPSTASH_REDIS_REST_TOKEN", "t"),
        ("DATABASE_URL", &database.url),
    ]);

    a_conversation_is_seen_whole(&server).await;
}

#[tokio::test]
async fn a_stranger_s_message_in_redis_is_told_like_any_other() {
    let redis = Redis::start();
    let front = RedisRest::before(&redis);
    let server = Server::start(&[("UPSTASH_REDIS_REST_URL", &front.url), ("UPSTASH_REDIS_REST_TOKEN", "t")]);
    let (mut viewer, _) = connected(&server).await;

    let data = json!({
        "id": "m1", "content": "Hello", "role": "agent", "timestamp": "2026-04-05T12:00:00Z", "sender": { "name": "Eve" }
    });
    let message = json!({ "type": "message", "data": data, "timestamp": "2026-04-05T12:00:00Z" });
    redis.push("chat:c1", &json!({ "type": "message", "data": { "content": "nobody's" } }).to_string()).await;
    redis.push("chat:c1", &message.to_string()).await;

    assert_eq!(viewer.until("message").await.data, data);
    let (_, snapshot) = connected(&server).await;
    assert_eq!(snapshot["messages"], json!([data]));
}

#[tokio::test]
async fn a_message_too_long_for_an_event_comes_from_the_store() {
    let server = Server::start(&[("STATUS_INTERVAL_MS", "200")]);
    let (mut viewer, _) = connected(&server).await;

    let content = "\"".repeat(10 * 1_024);
    accepted(server.post(MESSAGES, &json!({ "content": content }))).await;

    let told = viewer.until("message").await;
    assert_eq!((told.text("content"), told.id), (content, None));
}

#[tokio::test]
async fn a_viewer_sees_and_tells_of_its_own_case_only() {
    let server = Server::start(&keys_and(&[]));
    let claims = json!({ "exp": in_seconds(60), "role": "nurse", "channels": ["chat:c1"] });
    let own = sign(&claims);
    let typing = json!({ "type": "typing", "data": { "name": "N", "role": "doctor" }, "event_id": "e1" });

    for claim in ["chat:c2", "chat:c", "doc_progress:c1", "doc_progress:*", "*"] {
        assert_eq!(refused(server.get(STREAM).bearer_auth(viewer(&[claim]))).await, 403, "{claim}");
        assert_eq!(refused(server.post(EVENTS, &typing).bearer_auth(viewer(&[claim]))).await, 403, "{claim}");
    }
    for path in ["/api/v1/cases/c2/chat/stream", "/api/v1/patients/c1/documents/stream"] {
        assert_eq!(refused(server.get(path).bearer_auth(&own)).await, 403, "{path}");
    }
    assert_eq!(refused(server.get(STREAM)).await, 401);
    assert_eq!(refused(server.post(EVENTS, &typing)).await, 401);
    for name in ["token", "message", "agent_joined", "answer_done", "checkpoint", "anything"] {
        let event = json!({ "type": name, "data": {} });
        assert_eq!(refused(server.post(EVENTS, &event).bearer_auth(&own)).await, 401, "{name}");
    }
    let mut watching = Viewer::open(server.get(STREAM).bearer_auth(&own)).await;
    watching.until("connected").await;
    accepted(server.post(EVENTS, &typing).bearer_auth(&own)).await;
    accepted(server.post(EVENTS, &token(0, "x")).bearer_auth(SERVICE_KEY)).await;

    let told = watching.until("typing").await;
    assert_eq!(told.data, json!({ "name": "N", "role": "nurse" }), "the part is the token's");
    watching.until("token").await;
    let long = json!({ "type": "typing", "data": { "name": "x".repeat(600) } });
    assert_eq!(refused(server.post(EVENTS, &long).bearer_auth(&own)).await, 413);
}

#[tokio::test]
async fn what_a_chat_gives_a_meaning_has_to_have_it() {
    let server = Server::start(&[]);

    for (event, word) in [
        (json!({ "type": "token", "data": { "message_id": "a1" } }), "index"),
        (json!({ "type": "message", "data": { "id": "m1", "content": "x" } }), "role"),
        (json!({ "type": "answer_done", "data": {} }), "message_id"),
        (json!({ "type": "checkpoint", "data": { "message_id": "a1" } }), "next_index"),
        (json!({ "type": "connected", "data": {} }), "type"),
    ] {
        let answer = server.post(EVENTS, &event).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{event}");
        let problem: Value = answer.json().await.unwrap();
        assert!(problem["detail"].as_str().unwrap().contains(word), "{problem}");
    }
    assert_eq!(refused(server.get(&format!("{STREAM}?document_id=d1"))).await, 400);
}

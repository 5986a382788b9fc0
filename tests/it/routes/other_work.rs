//! `GET /api/v1/streams/{kind}/{id}` and `POST /api/v1/streams/{kind}/{id}/events`.

use serde_json::{Value, json};

use super::{accepted, refused};
use crate::support::{
    Redis, RedisRest, Server, Viewer,
    tokens::{SERVICE_KEY, keys_and, viewer},
};

const STREAM: &str = "/api/v1/streams/transcode/job-7";
const EVENTS: &str = "/api/v1/streams/transcode/job-7/events";
const KINDS: (&str, &str) = ("STREAM_KINDS", "transcode,import");

#[tokio::test]
async fn an_event_reaches_its_viewers_and_a_return_gets_the_rest() {
    let server = Server::start(&[KINDS]);
    let mut watching = Viewer::open(server.get(STREAM)).await;
    let connected = watching.until("connected").await;
    assert_eq!(
        (connected.text("channel"), &connected.data["events"]),
        ("transcode:job-7".into(), &json!([]))
    );

    let answer = accepted(server.post(EVENTS, &step(1))).await;
    let told = watching.next().await.unwrap();
    for number in [2, 3] {
        accepted(server.post(EVENTS, &step(number))).await;
    }

    assert_eq!(
        (&answer["stored"], &answer["viewers"], &answer["stream_url"]),
        (&json!(true), &json!(1), &json!(STREAM))
    );
    assert_eq!((told.name.as_str(), &told.data), ("frame.done", &json!({ "n": 1 })));
    let mut back = Viewer::open(server.get(STREAM).header("Last-Event-ID", told.id.unwrap())).await;
    assert_eq!(back.until("connected").await.data["resumed"], true);
    assert_eq!(back.next().await.unwrap().data["n"], 2);
    let fresh = Viewer::open(server.get(STREAM)).await.until("connected").await;
    let shown: Vec<_> =
        fresh.data["events"].as_array().unwrap().iter().map(|event| &event["data"]["n"]).collect();
    assert_eq!(shown, [1, 2, 3]);
    assert_eq!(fresh.data["events"][0]["event_id"], answer["event_id"]);
}

#[tokio::test]
async fn a_repeat_is_seen_once_and_a_filter_hides_other_types() {
    let server = Server::start(&[KINDS]);
    let mut watching = Viewer::open(server.get(&format!("{STREAM}?events=frame.done"))).await;
    watching.until("connected").await;

    for event in [named(1, "e-1"), named(1, "e-1"), json!({ "type": "note" }), named(2, "e-2")] {
        accepted(server.post(EVENTS, &event)).await;
    }

    assert_eq!(watching.next().await.unwrap().data["n"], 1);
    assert_eq!(watching.next().await.unwrap().data["n"], 2);
}

#[tokio::test]
async fn anyone_may_push_to_the_list_in_redis() {
    let redis = Redis::start();
    let front = RedisRest::before(&redis);
    let server =
        Server::start(&[KINDS, ("UPSTASH_REDIS_REST_URL", &front.url), ("UPSTASH_REDIS_REST_TOKEN", "t")]);
    let mut watching = Viewer::open(server.get(STREAM)).await;
    watching.until("connected").await;

    redis.push("transcode:job-7", &step(1).to_string()).await;
    redis.push("transcode:job-7", "no event").await;
    redis.push("transcode:job-7", "{\"type\":\"heartbeat\"}").await;
    accepted(server.post(EVENTS, &step(2))).await;

    assert_eq!(watching.until("frame.done").await.data["n"], 1);
    assert_eq!(watching.until("frame.done").await.data["n"], 2);
    let dead = front.run(json!(["LRANGE", "tidings:dead:transcode:job-7", "0", "-1"])).await;
    assert_eq!(dead, json!(["no event"]));
    let metrics = server.get("/metrics").send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("tidings_events_hidden_total{reason=\"invalid\"} 1"), "{metrics}");
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let server = Server::start(&[KINDS]);

    for (event, word) in [
        (json!({ "type": "done", "data": {} }), "reconnect"),
        (json!({ "type": "a b" }), "type"),
        (json!({ "data": {} }), "type"),
        (json!({ "type": "step", "event_id": "a/b" }), "event_id"),
        (json!({ "type": "step", "timestamp": "yesterday" }), "timestamp"),
    ] {
        let answer = server.post(EVENTS, &event).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{event}");
        let problem: Value = answer.json().await.unwrap();
        assert!(problem["detail"].as_str().unwrap().contains(word), "{problem}");
    }
    let large = json!({ "type": "step", "data": "x".repeat(16 * 1_024) });
    assert_eq!(refused(server.post(EVENTS, &large)).await, 413);
    assert_eq!(refused(server.post("/api/v1/streams/unknown/1/events", &step(1))).await, 404);
    assert_eq!(refused(server.post("/api/v1/streams/doc_progress/p1/events", &step(1))).await, 404);
    assert_eq!(refused(server.post("/api/v1/streams/transcode/a%20b/events", &step(1))).await, 400);
    for path in ["/api/v1/streams/unknown/1", "/api/v1/streams/health/data", "/api/v1/streams/chat/c1"] {
        assert_eq!(refused(server.get(path)).await, 404, "{path}");
    }
    assert_eq!(refused(server.get(&format!("{STREAM}?document_id=d1"))).await, 400);
}

#[tokio::test]
async fn a_token_covers_its_own_channel_or_the_whole_kind_and_publishes_nothing() {
    let server = Server::start(&keys_and(&[KINDS]));
    let open =
        async |claim: &str| server.get(STREAM).bearer_auth(viewer(&[claim])).send().await.unwrap().status();

    for claim in ["transcode:job-7", "transcode:*"] {
        assert_eq!(open(claim).await, 200, "{claim}");
    }
    for claim in ["transcode:job-8", "import:*", "doc_progress:*", "chat:job-7", "*"] {
        assert_eq!(open(claim).await, 403, "{claim}");
    }
    assert_eq!(refused(server.get(STREAM)).await, 401);
    assert_eq!(refused(server.post(EVENTS, &step(1)).bearer_auth(viewer(&["transcode:*"]))).await, 401);
    accepted(server.post(EVENTS, &step(1)).bearer_auth(SERVICE_KEY)).await;
}

fn step(number: u64) -> Value {
    json!({ "type": "frame.done", "data": { "n": number } })
}

fn named(number: u64, event_id: &str) -> Value {
    json!({ "type": "frame.done", "data": { "n": number }, "event_id": event_id })
}

//! Redis goes away in mid-conversation: every stored message arrives all the same, and none twice.

use serde_json::json;

use crate::support::{Redis, RedisRest, Server, Viewer};

const STREAM: &str = "/api/v1/cases/c1/chat/stream";

async fn post(server: &Server, name: &str) {
    let message = json!({ "id": name, "content": format!("words of {name}") });
    let answer = server.post("/api/v1/cases/c1/messages", &message).send().await.unwrap();
    assert_eq!(answer.status(), 201);
}

#[tokio::test]
async fn messages_stored_while_redis_is_down_arrive_once() {
    let mut redis = Redis::start();
    let front = RedisRest::before(&redis);
    let server = Server::start(&[
        ("UPSTASH_REDIS_REST_URL", &front.url),
        ("UPSTASH_REDIS_REST_TOKEN", "t"),
        ("STATUS_INTERVAL_MS", "500"),
        ("HEARTBEAT_INTERVAL_MS", "500"),
    ]);
    let mut viewer = Viewer::open(server.get(STREAM)).await;
    viewer.until("connected").await;
    let mut told = Vec::new();

    post(&server, "before").await;
    told.push(viewer.until("message").await);
    redis.crash();
    assert_eq!(viewer.until("source").await.data, json!({ "source": "redis", "state": "down" }));
    for name in ["during-1", "during-2"] {
        post(&server, name).await;
        told.push(viewer.until("message").await);
    }
    let mut late = Viewer::open(server.get(STREAM)).await;
    let snapshot = late.until("connected").await.data;
    redis.start_again();
    while viewer.until("source").await.data != json!({ "source": "redis", "state": "up" }) {}
    post(&server, "after").await;
    // What the emitter kept of the outage comes before or behind it, and is not told again.
    loop {
        let message = viewer.next().await.unwrap();
        let is_last = message.text("id") == "after";
        told.extend((message.name == "message").then_some(message));
        if is_last {
            break;
        }
    }

    let names: Vec<_> = told.iter().map(|message| message.text("id")).collect();
    assert_eq!(names, ["before", "during-1", "during-2", "after"]);
    assert!(told[0].id.is_some() && told[1].id.is_none() && told[2].id.is_none());
    let shown: Vec<_> =
        snapshot["messages"].as_array().unwrap().iter().map(|message| &message["id"]).collect();
    assert_eq!(shown, ["before", "during-1", "during-2"]);
}

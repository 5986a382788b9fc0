//! What one session costs; `make bench-commands` measures the whole table.

use serde_json::json;

use crate::support::{
    Server, Viewer,
    documents::STAGES,
    redis::{Redis, RedisRest},
    viewer::names,
};

#[tokio::test]
async fn a_session_of_six_stages_takes_at_most_18_commands() {
    let redis = Redis::start();
    let front = RedisRest::with_token(&redis, "t");
    let server = Server::start(&[
        ("UPSTASH_REDIS_REST_URL", &front.url),
        ("UPSTASH_REDIS_REST_TOKEN", "t"),
        ("UPSTASH_WAKE", "on"),
        ("UPSTASH_EMIT", "log"),
    ]);
    let before = redis.commands().await;

    let mut viewer = Viewer::open(server.get("/api/v1/patients/p1/documents/stream")).await;
    viewer.until("connected").await;
    for stage in STAGES {
        let event = json!({ "patient_id": "p1", "document_id": "d1", "stage": stage });
        assert_eq!(server.post("/api/v1/progress", &event).send().await.unwrap().status(), 202);
    }
    let seen = viewer.rest().await;

    assert_eq!(names(&seen).iter().filter(|name| **name == "progress").count(), 6);
    assert_eq!(seen.last().unwrap().name, "done");
    let commands = redis.commands().await - before;
    eprintln!("one session: {commands} commands");
    assert!((12..=18).contains(&commands), "{commands} commands");
}

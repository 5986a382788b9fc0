//! `GET /healthz` and `/readyz`.

use serde_json::json;

use super::accepted;
use crate::support::{Redis, RedisRest, Server, Viewer, tokens::KEYS};

const STREAM: &str = "/api/v1/patients/p1/documents/stream";

#[tokio::test]
async fn a_living_server_says_so_without_a_key() {
    let server = Server::start(&KEYS);

    let answer = server.get("/healthz").send().await.unwrap();

    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.unwrap(), "ok\n");
}

#[tokio::test]
async fn readiness_tells_of_each_source() {
    let server = Server::start(&KEYS);

    let ready = accepted(server.get("/readyz")).await;

    assert_eq!(ready["ready"], true);
    let sources = ready["sources"].as_object().unwrap();
    assert_eq!(sources.keys().collect::<Vec<_>>(), ["memory", "sqlite"]);
    for source in sources.values() {
        assert_eq!(source["state"], "up");
        assert!(source["since"].as_str().unwrap().ends_with('Z'), "{source}");
    }
    assert_eq!(sources["memory"]["latency_ms"], json!(null), "memory is not called");
}

#[tokio::test]
async fn readiness_tells_how_fast_each_part_answered_last() {
    let redis = Redis::start();
    let front = RedisRest::with_token(&redis, "t");
    let settings = [("UPSTASH_REDIS_REST_URL", &*front.url), ("UPSTASH_REDIS_REST_TOKEN", "t")];
    let server = Server::start(&settings);

    Viewer::open(server.get(STREAM)).await.until("connected").await;
    accepted(server.get("/api/v1/procedures/knee_replacement/requirements")).await;
    let ready = accepted(server.get("/readyz")).await;

    for part in [&ready["sources"]["redis"], &ready["sources"]["sqlite"], &ready["cache"]] {
        assert!(part["latency_ms"].as_f64().is_some_and(|latency| latency >= 0.0), "{ready}");
        assert_eq!(part["state"], "up");
    }
}

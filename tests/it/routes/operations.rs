//! `GET /healthz` and `/readyz`.

use serde_json::json;

use super::accepted;
use crate::support::{Server, tokens::KEYS};

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

    let up = json!({ "state": "up" });
    assert_eq!(ready, json!({ "ready": true, "sources": { "memory": up, "sqlite": up } }));
}

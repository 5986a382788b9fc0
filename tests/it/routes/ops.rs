//! `GET /ops` and `/ops/stream`: who may look, and what is told.

use std::time::Duration;

use serde_json::{Value, json};

use super::{accepted, refused};
use crate::support::{
    Server, Viewer,
    tokens::{KEYS, in_seconds, sign},
};

fn token(role: &str) -> String {
    sign(&json!({ "exp": in_seconds(60), "channels": ["tidings:ops"], "role": role }))
}

/// Reads on until the board shows what is asked for.
async fn until(viewer: &mut Viewer, holds: impl Fn(&Value) -> bool) -> Value {
    loop {
        let view = viewer.until("board").await.data;
        if holds(&view) {
            return view;
        }
    }
}

#[tokio::test]
async fn only_operators_see_the_numbers() {
    let server = Server::start(&KEYS);
    let look = |token: &str| server.get("/ops/stream").bearer_auth(token);

    assert_eq!(refused(server.get("/ops/stream")).await, 401);
    assert_eq!(refused(look("nonsense")).await, 401);
    assert_eq!(refused(look(&token("patient"))).await, 403);
    for key in [KEYS[1].1, &token("operator")] {
        let mut viewer = Viewer::open(look(key)).await;
        viewer.until("board").await;
    }
    let asked = json!({ "channels": ["tidings:ops"], "role": "operator" });
    let issued = accepted(server.post("/api/v1/tokens", &asked).bearer_auth(KEYS[1].1)).await;
    let in_query = format!("/ops/stream?token={}", issued["token"].as_str().unwrap());
    Viewer::open(server.get(&in_query)).await.until("board").await;
    let renewed = server.post("/api/v1/tokens", &asked).bearer_auth(token("patient"));
    assert_eq!(refused(renewed).await, 403, "nobody makes an operator of himself");
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere() {
    let server = Server::start(&KEYS);

    let page = server.get("/ops").send().await.unwrap();

    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy}");
    for file in ["ops.css", "ops.js", "feed.js", "numbers.js", "plot.js"] {
        assert_eq!(server.get(&format!("/ops/{file}")).send().await.unwrap().status(), 200, "{file}");
    }
    assert_eq!(refused(server.get("/ops/other.js")).await, 404);
}

#[tokio::test]
async fn failures_are_told_with_their_reasons_and_without_ids() {
    let server = Server::start(&[]);
    let mut viewer = Viewer::open(server.get("/ops/stream")).await;
    let failed = |reason: &str| {
        json!({
            "patient_id": "patient-0815", "document_id": "document-4711", "stage": "ocr_started",
            "status": "failed", "reason": reason,
        })
    };

    accepted(server.post("/api/v1/progress", &failed("needs_ocr"))).await;
    accepted(server.post("/api/v1/progress", &failed("Mrs Smith's scan"))).await;
    let view = until(&mut viewer, |view| view["failures"].as_array().unwrap().len() == 2).await;

    assert_eq!(view["failures"][0]["reason"], "failed", "words that are no code are left out");
    assert_eq!(view["failures"][1]["part"], "ocr");
    assert_eq!(view["failures"][1]["reason"], "needs_ocr");
    let text = view.to_string();
    assert!(!text.contains("0815") && !text.contains("4711") && !text.contains("Smith"), "{text}");
    assert_eq!(view["sources"][0]["is_up"], true);
}

#[tokio::test]
async fn an_operators_stream_does_not_hold_the_server_up() {
    let mut server = Server::start(&[]);
    let mut viewer = Viewer::open(server.get("/ops/stream")).await;
    viewer.until("board").await;

    server.terminate();

    assert!(server.ended(Duration::from_secs(20)).await.unwrap().success());
    assert!(!server.log().contains("have been cut"), "{}", server.log());
}

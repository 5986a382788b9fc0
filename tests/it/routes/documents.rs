//! `GET /api/v1/patients/{patient_id}/documents`.

use serde_json::json;

use super::{accepted, refused};
use crate::support::{
    Server, Viewer,
    documents::{confirm, put},
    tokens::{KEYS, SERVICE_KEY, viewer},
};

const LIST: &str = "/api/v1/patients/p1/documents";

#[tokio::test]
async fn a_document_is_listed_from_confirm_on() {
    let server = Server::start(&[]);
    let document = put(&server, "p1", "mri_knee.pdf").await;
    let viewer = Viewer::open(server.get(&format!("{LIST}/stream"))).await;

    let before = accepted(server.get(LIST)).await;
    confirm(&server, &document).await;
    viewer.rest().await;
    let after = accepted(server.get(LIST)).await;

    assert_eq!(before, json!({ "documents": [] }));
    let [listed] = &after["documents"].as_array().unwrap()[..] else { panic!("{after}") };
    assert_eq!(listed["document_id"], document);
    assert_eq!(listed["filename"], "mri_knee.pdf");
    assert_eq!(listed["status"], "complete");
    assert_eq!(listed["attempt"], 1);
    let updated_at = listed["updated_at"].as_str().unwrap();
    assert!(chrono::DateTime::parse_from_rfc3339(updated_at).is_ok(), "{updated_at}");
    assert_eq!(accepted(server.get("/api/v1/patients/p2/documents")).await, json!({ "documents": [] }));
}

#[tokio::test]
async fn a_failed_document_is_listed_with_its_reason() {
    let server = Server::start(&[]);
    let document = put(&server, "p1", "encrypted.pdf").await;
    let viewer = Viewer::open(server.get(&format!("{LIST}/stream"))).await;

    confirm(&server, &document).await;
    viewer.rest().await;

    let listed = accepted(server.get(LIST)).await["documents"][0].clone();
    assert_eq!((&listed["status"], &listed["reason"]), (&json!("failed"), &json!("encrypted")));
}

#[tokio::test]
async fn nothing_keeps_a_copy_of_it() {
    let server = Server::start(&[]);

    let answer = server.get(LIST).send().await.unwrap();

    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert_eq!(answer.headers()["content-type"], "application/json");
}

#[tokio::test]
async fn only_who_may_see_the_patient_sees_the_list() {
    let server = Server::start(&KEYS);
    let token = viewer(&["doc_progress:p1"]);

    accepted(server.get(LIST).bearer_auth(&token)).await;
    accepted(server.get(LIST).query(&[("token", &token)])).await;
    accepted(server.get(LIST).header("Cookie", format!("tidings_token={token}"))).await;
    accepted(server.get(LIST).bearer_auth(SERVICE_KEY)).await;
    assert_eq!(refused(server.get(LIST)).await, 401);
    assert_eq!(refused(server.get(LIST).bearer_auth(viewer(&["doc_progress:p2", "chat:p1"]))).await, 403);
    assert_eq!(refused(server.get("/api/v1/patients/a%20b/documents").bearer_auth(&token)).await, 400);
}

//! `GET /api/v1/documents/{document_id}/file`: what the worker is told, and who gets the file.

use reqwest::Url;
use serde_json::Value;

use super::world::{PUBLIC, World};
use crate::support::{
    documents::{confirm, fixture, put},
    queue::Delivered,
};

/// The path and query of the link that was published.
fn link(published: &Delivered) -> String {
    let body: Value = published.json();
    let url: Url = body["file_url"].as_str().unwrap().parse().unwrap();
    assert!(url.as_str().starts_with(&format!("{PUBLIC}/api/v1/documents/")), "{url}");
    let behind = &url.as_str()[PUBLIC.len()..];
    behind.to_owned()
}

#[tokio::test]
async fn the_queue_is_told_all_that_the_worker_needs_and_where_to_answer() {
    let mut world = World::start().await;
    let document = put(&world.server, "p1", "scanned_letter.pdf").await;
    confirm(&world.server, &document).await;
    let published = world.queue.next().await;

    let body: Value = published.json();
    assert_eq!((&body["document_id"], &body["attempt"]), (&document.as_str().into(), &1.into()));
    assert_eq!((&body["content_type"], &body["patient_id"]), (&"application/pdf".into(), &"p1".into()));
    assert_eq!(body["progress_url"], format!("{PUBLIC}/api/v1/progress"));
    let query = format!("?document_id={document}&attempt=1");
    assert_eq!(published.header("upstash-callback"), format!("{PUBLIC}/api/v1/webhooks/qstash/ocr{query}"));
    let failure = format!("{PUBLIC}/api/v1/webhooks/qstash/failure{query}");
    assert_eq!(published.header("upstash-failure-callback"), failure);
    assert_eq!(published.header("upstash-deduplication-id"), format!("{document}.1"));
    assert!(published.header("authorization").starts_with("Bearer "));
}

#[tokio::test]
async fn a_link_gives_its_own_file_and_no_other() {
    let mut world = World::start().await;
    let document = put(&world.server, "p1", "scanned_letter.pdf").await;
    let other = put(&world.server, "p1", "lab_report.pdf").await;
    confirm(&world.server, &document).await;
    let link = link(&world.queue.next().await);
    let get = async |path: &str| world.server.get(path).send().await.unwrap();

    let file = get(&link).await;
    assert_eq!(
        (file.status().as_u16(), file.headers()["cache-control"].to_str().unwrap()),
        (200, "no-store")
    );
    assert_eq!(file.headers()["content-type"], "application/pdf");
    assert_eq!(file.bytes().await.unwrap(), fixture("scanned_letter.pdf"));

    let (path, token) = link.split_once("?token=").unwrap();
    let place = token.len() - 10;
    let changed = format!(
        "{}{}{}",
        &token[..place],
        if token.as_bytes()[place] == b'A' { 'B' } else { 'A' },
        &token[place + 1..]
    );
    for refused in [
        path.to_owned(),
        format!("{path}?token={changed}"),
        format!("/api/v1/documents/{other}/file?token={token}"),
    ] {
        let answer = get(&refused).await;
        assert_eq!(answer.status(), 401, "{refused}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }

    std::fs::remove_file(world.server.folder.path().join("data/files").join(&document)).unwrap();
    assert_eq!(get(&link).await.status(), 404);
}

#[tokio::test]
async fn a_link_outlives_the_process_that_signed_it() {
    let mut world = World::start().await;
    let document = put(&world.server, "p1", "scanned_letter.pdf").await;
    confirm(&world.server, &document).await;
    let link = link(&world.queue.next().await);

    let world = world.crash_and_restart();

    assert_eq!(world.server.get(&link).send().await.unwrap().status(), 200);
}

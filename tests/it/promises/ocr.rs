//! A scan goes through the queue to tesseract and back, with its pages told on the way.

use serde_json::Value;

use crate::support::{
    Message, Server, Viewer,
    documents::{STAGES, confirm, put, read_named},
    ocr::Ocr,
};

/// Confirms a file and follows its document to its end.
async fn follow(server: &Server, file: &str) -> Vec<Message> {
    let document = put(server, "p1", file).await;
    let stream = format!("/api/v1/patients/p1/documents/stream?document_id={document}");
    let viewer = Viewer::open(server.get(&stream)).await;
    confirm(server, &document).await;
    viewer.rest().await
}

fn end(seen: &[Message]) -> &Value {
    let done = seen.last().unwrap();
    assert_eq!(done.name, "done", "{seen:?}");
    &done.data["documents"][0]
}

/// What was told of each step: its stage and detail.
fn told(seen: &[Message]) -> Vec<(String, String)> {
    let steps = seen.iter().filter(|message| message.name == "progress");
    steps.map(|step| (step.text("stage"), step.text("detail"))).collect()
}

#[tokio::test]
async fn a_scan_is_read_page_by_page_and_ends_as_complete() {
    let ocr = Ocr::start().await;

    let seen = follow(&ocr.server, "scanned_letter.pdf").await;

    let told = told(&seen);
    let told: Vec<_> = told.iter().map(|(stage, detail)| (stage.as_str(), detail.as_str())).collect();
    let expected = [
        ("upload_received", ""),
        ("ocr_started", ""),
        ("ocr_started", "page 1 of 3"),
        ("ocr_started", "page 2 of 3"),
        ("ocr_started", "page 3 of 3"),
        ("ocr_complete", "3 pages"),
        ("analysis_started", ""),
        ("analysis_complete", ""),
        ("matching_complete", ""),
    ];
    assert_eq!(told, expected);
    let percents: Vec<_> = seen.iter().filter_map(|message| message.data["percent"].as_u64()).collect();
    assert!(percents.is_sorted(), "{percents:?}");
    assert_eq!(end(&seen)["status"], "complete");
    let findings = findings(&ocr.server).await;
    assert!(findings.contains("Osteoarthritis of knee"), "{findings}");
    let metrics = metrics(&ocr.server).await;
    assert!(metrics.contains("tidings_ocr_dispatches_total{outcome=\"published\"} 1"), "{metrics}");
    assert!(metrics.contains("tidings_ocr_deliveries_total{outcome=\"taken\"} 1"), "{metrics}");
}

#[tokio::test]
async fn a_picture_is_read_as_one_page() {
    let ocr = Ocr::start().await;

    let seen = follow(&ocr.server, "scanned_photo.png").await;

    assert!(told(&seen).contains(&("ocr_started".into(), "page 1 of 1".into())), "{seen:?}");
    assert!(told(&seen).contains(&("ocr_complete".into(), "1 page".into())), "{seen:?}");
    assert_eq!(end(&seen)["status"], "complete");
}

#[tokio::test]
async fn a_scan_without_any_text_fails_with_its_reason() {
    let ocr = Ocr::start().await;

    let seen = follow(&ocr.server, "blank_scan.pdf").await;

    assert_eq!((&end(&seen)["status"], &end(&seen)["reason"]), (&"failed".into(), &"no_text".into()));
}

#[tokio::test]
async fn a_document_with_a_text_layer_does_not_go_there() {
    let ocr = Ocr::start().await;

    let seen = follow(&ocr.server, "mri_knee.pdf").await;

    assert_eq!(told(&seen).into_iter().map(|(stage, _)| stage).collect::<Vec<_>>(), STAGES);
    assert!(!was_sent(&metrics(&ocr.server).await));
}

#[tokio::test]
async fn a_crash_while_a_scan_is_read_elsewhere_loses_nothing() {
    let ocr = Ocr::start().await;
    let document = put(&ocr.server, "p1", "scanned_letter.pdf").await;
    let stream = format!("/api/v1/patients/p1/documents/stream?document_id={document}");
    let mut viewer = Viewer::open(ocr.server.get(&stream)).await;
    confirm(&ocr.server, &document).await;
    while viewer.until("progress").await.text("detail") != "page 1 of 3" {}

    let Ocr { server, environment, public, queue: _queue, worker: _worker } = ocr;
    let server = Server::start_in(server.crash(), &environment.pairs());
    public.lead_to(&server.url);
    let seen = read_named(&server, "p1", &document).await;

    assert_eq!(end(&seen)["status"], "complete");
    let metrics = metrics(&server).await;
    assert!(!was_sent(&metrics), "OCR has it: it is not sent again: {metrics}");
}

/// Says whether anything was sent to OCR, with whatever outcome.
fn was_sent(metrics: &str) -> bool {
    let mut counts = metrics.lines().filter(|line| line.starts_with("tidings_ocr_dispatches_total{"));
    counts.any(|line| !line.ends_with(" 0"))
}

async fn metrics(server: &Server) -> String {
    server.get("/metrics").send().await.unwrap().text().await.unwrap()
}

/// What was found in all documents, as the database holds it.
async fn findings(server: &Server) -> String {
    let url = format!("sqlite://{}/data/tidings.db", server.folder.path().display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM ocr_results").fetch_one(&pool).await.unwrap();
    assert_eq!(kept, 0, "the text is dropped once the document ends");
    let findings = sqlx::query_scalar("SELECT group_concat(findings) FROM documents").fetch_one(&pool).await;
    findings.unwrap()
}

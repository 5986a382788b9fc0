//! How long a scan takes still, once OCR has it.

use serde_json::{Value, json};

use super::world::World;
use crate::support::{
    Viewer,
    documents::{confirm, put},
};

/// Eight documents as large as the scan that had a text layer and took 2 s, and eight scans that took a minute.
const RUNS: &str = "
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 16)
INSERT INTO documents (document_id, patient_id, filename, content_type, size, status, rank, attempt, created_at,
                       updated_at, reading_at, read_at, analyzing_at, analyzed_at, pages, is_scan)
SELECT 'd' || n, 'p', 'a.pdf', 'application/pdf', 192445, 'complete', 10, 1, 1, 1000000,
       1000000 - CASE WHEN n > 8 THEN 60000 ELSE 2000 END, 999000, 999000, 999000, 1, n > 8
FROM numbers";

/// What the first three events of a scan say.
async fn told_of_a_scan(sql: &str) -> Vec<(String, String, Value)> {
    let mut world = World::start().await;
    let url = format!("sqlite://{}/data/tidings.db", world.server.folder.path().display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&pool).await.unwrap();
    let document = put(&world.server, "p1", "scanned_letter.pdf").await;
    let stream = format!("/api/v1/patients/p1/documents/stream?document_id={document}");
    let mut viewer = Viewer::open(world.server.get(&stream)).await;
    viewer.until("connected").await;

    confirm(&world.server, &document).await;
    world.queue.next().await;
    let mut told = Vec::new();
    while told.len() < 3 {
        let step = viewer.until("progress").await;
        told.push((step.text("stage"), step.text("status"), step.data["eta_seconds"].clone()));
    }
    told
}

fn step(stage: &str, status: &str, eta: Value) -> (String, String, Value) {
    (stage.to_owned(), status.to_owned(), eta)
}

#[tokio::test]
async fn a_document_that_turns_out_to_be_a_scan_is_told_what_scans_take() {
    let told = told_of_a_scan(RUNS).await;

    assert_eq!(told[0], step("upload_received", "completed", Value::Null), "nothing has been read by then");
    assert_eq!(told[1], step("ocr_started", "started", json!([2, 60])), "it may be either");
    assert_eq!(told[2], step("ocr_started", "in_progress", json!([60, 60])));
}

#[tokio::test]
async fn where_no_scans_are_known_what_others_take_is_taken_back() {
    let told = told_of_a_scan(&RUNS.replace("n < 16", "n < 8")).await;

    assert_eq!(told[1], step("ocr_started", "started", json!([2, 2])));
    assert_eq!(told[2], step("ocr_started", "in_progress", Value::Null));
}

//! `GET /api/v1/health`.

use serde_json::{Value, json};

use super::{accepted, refused};
use crate::support::{
    Database, Postgres, Server, Viewer,
    documents::{confirm, put, read_named},
    tokens::{KEYS, SERVICE_KEY, viewer},
};

const HEALTH: &str = "/api/v1/health";
const STREAM: &str = "/api/v1/patients/p1/documents/stream?follow=1";

#[tokio::test]
async fn operators_see_how_the_server_and_its_documents_do() {
    let server = Server::start(&[]);
    for file in ["lab_report.pdf", "mri_knee.pdf", "encrypted.pdf"] {
        let document = put(&server, "p1", file).await;
        confirm(&server, &document).await;
        read_named(&server, "p1", &document).await;
    }
    let mut watching = Viewer::open(server.get(STREAM)).await;
    watching.until("connected").await;

    let health = accepted(server.get(HEALTH)).await;

    let documents = &health["documents"];
    assert_eq!((&documents["documents"], &documents["is_whole"]), (&json!(3), &json!(true)));
    assert_eq!(
        (&documents["by_status"]["complete"], &documents["by_status"]["failed"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(documents["by_status"].as_object().unwrap().len(), 7, "also those that are not there");
    assert_eq!(documents["failures"], json!({ "encrypted": 1 }));
    for stage in ["ocr", "analysis", "matching", "total"] {
        let took = &documents["durations"][stage];
        assert_eq!(took["documents"], 2, "{stage}: {took}");
        assert!(took["median_ms"].as_u64() <= took["p90_ms"].as_u64(), "{stage}: {took}");
    }
    assert_eq!((&health["version"], &health["streams_open"]), (&json!(env!("CARGO_PKG_VERSION")), &json!(1)));
    assert_eq!(health["sources"]["sqlite"]["state"], "up");
    assert!(health["uptime_seconds"].is_u64());
    assert_eq!(health["documents_missing"], Value::Null);
}

#[tokio::test]
async fn what_this_process_does_is_told_as_it_is_now() {
    let server = Server::start(&[]);
    let before = accepted(server.get(HEALTH)).await;
    let mut watching = Viewer::open(server.get(STREAM)).await;
    watching.until("connected").await;

    let during = accepted(server.get(HEALTH)).await;

    assert_eq!((&before["streams_open"], &during["streams_open"]), (&json!(0), &json!(1)));
    assert_eq!(before["documents"], during["documents"], "the database is counted each 30 s only");
}

#[tokio::test]
async fn only_services_may_ask() {
    let server = Server::start(&KEYS);

    assert_eq!(refused(server.get(HEALTH)).await, 401);
    assert_eq!(refused(server.get(HEALTH).bearer_auth(viewer(&["doc_progress:*", "chat:*"]))).await, 401);
    accepted(server.get(HEALTH).bearer_auth(SERVICE_KEY)).await;
}

#[tokio::test]
async fn a_database_that_is_away_takes_only_its_share_with_it() {
    let mut postgres = Postgres::start();
    let url = postgres.create("tidings").await;
    let server = Server::start(&[("DATABASE_URL", &url)]);
    // A server that answers has read at its start what it had to.
    accepted(server.get("/readyz")).await;

    postgres.crash();
    let away = accepted(server.get(HEALTH)).await;
    postgres.start_again();
    let back = accepted(server.get(HEALTH)).await;

    assert_eq!((&away["documents"], &away["documents_missing"]), (&Value::Null, &json!("unavailable")));
    assert_eq!((&back["documents"]["documents"], &back["documents_missing"]), (&json!(0), &Value::Null));
}

#[tokio::test]
async fn tables_of_somebody_else_are_not_counted() {
    let database = Database::new().await;
    database
        .run("CREATE TABLE theirs (document_id text, patient_id text, status text, updated_at bigint)")
        .await;
    let statement = "SELECT * FROM theirs WHERE patient_id = ANY($1)";
    let server = Server::start(&[("DATABASE_URL", &*database.url), ("STATUS_SQL", statement)]);

    let health = accepted(server.get(HEALTH)).await;

    assert_eq!(
        (&health["documents"], &health["documents_missing"]),
        (&Value::Null, &json!("kept_elsewhere"))
    );
}

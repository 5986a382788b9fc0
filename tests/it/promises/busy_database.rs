//! A database that is locked, broken or back again: nothing hangs and nothing is forgotten.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};

use crate::support::{
    Server, Viewer,
    documents::{put, read_named},
};

const STREAM: &str = "/api/v1/patients/p1/documents/stream";

async fn connect(server: &Server) -> SqliteConnection {
    let url = format!("sqlite://{}/data/tidings.db", server.folder.path().display());
    SqliteConnection::connect(&url).await.unwrap()
}

async fn run(database: &mut SqliteConnection, sql: &'static str) {
    sqlx::query(sql).execute(database).await.unwrap();
}

async fn ready(server: &Server) -> (u16, Value) {
    let answer = server.get("/readyz").send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn a_client_that_leaves_amid_its_confirm_does_not_lose_the_document() {
    let server = Server::start(&[]);
    let document = put(&server, "p1", "lab_report.pdf").await;
    let mut database = connect(&server).await;
    run(&mut database, "BEGIN IMMEDIATE").await;

    let confirm = server.post("/api/v1/uploads/confirm", &json!({ "document_id": document }));
    let left = confirm.timeout(Duration::from_millis(300)).send().await;
    assert!(left.is_err_and(|error| error.is_timeout()));
    run(&mut database, "ROLLBACK").await;

    let seen = read_named(&server, "p1", &document).await;
    assert_eq!(seen.last().unwrap().data["documents"][0]["status"], "complete");
}

#[tokio::test]
async fn readiness_names_the_source_that_is_down_and_sees_it_return_without_viewers() {
    let server = Server::start(&[("STATUS_INTERVAL_MS", "200")]);
    let mut database = connect(&server).await;
    let mut viewer = Viewer::open(server.get(STREAM)).await;
    viewer.until("connected").await;

    run(&mut database, "ALTER TABLE documents RENAME TO away").await;
    let down = viewer.until("source").await;
    drop(viewer);

    assert_eq!(down.data, json!({ "source": "sqlite", "state": "down" }));
    let (status, body) = ready(&server).await;
    assert_eq!((status, &body["ready"]), (503, &json!(false)));
    assert_eq!(body["sources"]["sqlite"]["state"], "down");

    run(&mut database, "ALTER TABLE away RENAME TO documents").await;
    let asked = Instant::now();
    while ready(&server).await.0 != 200 {
        assert!(asked.elapsed() < Duration::from_secs(5), "the store stays down");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_locked_database_does_not_hold_up_the_way_down() {
    let mut server = Server::start(&[]);
    let mut database = connect(&server).await;
    run(&mut database, "BEGIN IMMEDIATE").await;
    let body =
        json!({ "patient_id": "p1", "filename": "a.pdf", "content_type": "application/pdf", "size": 9 });
    let presign = server.post("/api/v1/uploads/presign", &body).timeout(Duration::from_millis(200));
    assert!(presign.send().await.is_err());

    server.terminate();

    assert!(server.ended(Duration::from_secs(5)).await.is_some_and(|status| status.success()));
}

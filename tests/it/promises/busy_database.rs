//! A database that is locked, broken or back again: nothing hangs and nothing is forgotten.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};
use tokio::process::Command;

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
    // It has read the documents under way once it answers.
    assert_eq!(ready(&server).await.0, 200);
    let mut database = connect(&server).await;
    run(&mut database, "BEGIN IMMEDIATE").await;
    let body =
        json!({ "patient_id": "p1", "filename": "a.pdf", "content_type": "application/pdf", "size": 9 });
    let presign = server.post("/api/v1/uploads/presign", &body).timeout(Duration::from_millis(200));
    assert!(presign.send().await.is_err());

    server.terminate();

    assert!(server.ended(Duration::from_secs(5)).await.is_some_and(|status| status.success()));
}

#[tokio::test]
async fn neither_does_one_that_was_locked_before_it_served() {
    let server = Server::start(&[]);
    assert_eq!(ready(&server).await.0, 200);
    let mut database = connect(&server).await;
    run(&mut database, "BEGIN IMMEDIATE").await;
    let mut next = Server::start_in(server.crash(), &[]);

    next.terminate();

    // A writer waits for a lock for five seconds, and then the start fails.
    assert!(
        next.ended(Duration::from_secs(4)).await.is_some_and(|status| status.success()),
        "{}",
        next.log()
    );
}

#[tokio::test]
async fn nor_one_that_was_locked_before_it_had_its_tables() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    let url = format!("sqlite://{}/data/tidings.db?mode=rwc", folder.path().display());
    let mut database = SqliteConnection::connect(&url).await.unwrap();
    run(&mut database, "PRAGMA journal_mode = WAL").await;
    run(&mut database, "BEGIN IMMEDIATE").await;

    let mut starting = Command::new(env!("CARGO_BIN_EXE_tidings"))
        .current_dir(folder.path())
        .env_clear()
        .env("PORT", "0")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(starting.try_wait().unwrap().is_none(), "it waits for the database");
    kill(Pid::from_raw(starting.id().unwrap().cast_signed()), Signal::SIGTERM).unwrap();

    let ended = tokio::time::timeout(Duration::from_secs(4), starting.wait()).await;
    assert!(ended.expect("it ends").unwrap().success());
}

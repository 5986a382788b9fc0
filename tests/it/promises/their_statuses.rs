//! Statuses from the operator's own tables: no table of ours, no right but to read, the same stream.

use serde_json::{Value, json};

use crate::support::{Database, Server, Viewer, documents::emit, program};

const STREAM: &str = "/api/v1/patients/p1/documents/stream?follow=1";
const STATUS_SQL: &str =
    "SELECT id AS document_id, patient AS patient_id, state AS status, changed AS updated_at
                          FROM letters WHERE patient = ANY($1)";
const STATUS_MAP: &str = "neu=uploaded,gelesen=ocr_complete,fertig=complete";

/// A table of theirs, and the URL of a role that may do nothing but read it.
async fn letters(role: &str) -> (Database, String) {
    let database = Database::new().await;
    database
        .run(&format!(
            "CREATE TABLE letters (id text, patient text, state text, changed timestamptz DEFAULT now());
             INSERT INTO letters VALUES ('l1', 'p1', 'neu'), ('l2', 'p2', 'neu');
             CREATE ROLE {role} LOGIN; REVOKE ALL ON SCHEMA public FROM PUBLIC;
             GRANT USAGE ON SCHEMA public TO {role}; GRANT SELECT ON letters TO {role};
             ALTER ROLE {role} SET default_transaction_read_only = on"
        ))
        .await;
    let url = database.url_for(role);
    (database, url)
}

fn settings(url: &str) -> [(&str, &str); 4] {
    [
        ("DATABASE_URL", url),
        ("STATUS_SQL", STATUS_SQL),
        ("STATUS_MAP", STATUS_MAP),
        ("STATUS_INTERVAL_MS", "300"),
    ]
}

#[tokio::test]
async fn a_document_of_theirs_is_followed_to_its_end() {
    let (database, url) = letters("follower").await;
    let server = Server::start(&settings(&url));
    let mut viewer = Viewer::open(server.get(STREAM)).await;

    let connected = viewer.until("connected").await;
    emit(&server, "p1", "l1", "ocr_started").await;
    let step = viewer.until("progress").await;
    database.run("UPDATE letters SET state = 'fertig', changed = now()").await;
    let update = viewer.until("document_update").await;
    let done = viewer.until("done").await;

    let [shown] = &connected.data["documents"].as_array().unwrap()[..] else { panic!("{connected:?}") };
    assert_eq!((&shown["document_id"], &shown["status"]), (&json!("l1"), &json!("uploaded")));
    assert_eq!(step.step(), ("l1".into(), "ocr_started".into()));
    assert_eq!((update.text("document_id"), update.text("status")), ("l1".into(), "complete".into()));
    assert_eq!(done.data["documents"][0]["status"], "complete");
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(database.number(tables).await, 1, "no table of ours is made");
}

#[tokio::test]
async fn a_dotenv_file_holds_the_statement_in_single_quotes() {
    let (_database, url) = letters("keeper").await;
    let statement = STATUS_SQL.split_whitespace().collect::<Vec<_>>().join(" ");
    let folder = tempfile::tempdir().unwrap();
    let settings = format!("DATABASE_URL={url}\nSTATUS_SQL='{statement}'\nSTATUS_MAP={STATUS_MAP}\n");
    std::fs::write(folder.path().join(".env"), settings).unwrap();

    let server = Server::start_in(folder, &[]);
    let list: Value = server.get("/api/v1/patients/p1/documents").send().await.unwrap().json().await.unwrap();

    assert_eq!(list["documents"][0]["document_id"], "l1");
}

#[tokio::test]
async fn a_document_that_only_events_tell_of_ends_by_its_events() {
    let (_database, url) = letters("listener").await;
    let server = Server::start(&settings(&url));
    let mut viewer = Viewer::open(server.get("/api/v1/patients/p3/documents/stream?document_id=e1")).await;
    viewer.until("connected").await;

    emit(&server, "p3", "e1", "ocr_started").await;
    emit(&server, "p3", "e1", "matching_complete").await;

    let done = viewer.until("done").await;
    assert_eq!(done.data["documents"][0]["status"], "complete");
}

#[tokio::test]
async fn what_is_not_kept_here_is_said() {
    let (_database, url) = letters("asker").await;
    let server = Server::start(&settings(&url));
    let upload =
        json!({ "patient_id": "p1", "filename": "a.pdf", "content_type": "application/pdf", "size": 9 });

    for refused in [
        server.post("/api/v1/uploads/presign", &upload),
        server.post("/api/v1/uploads/confirm", &json!({ "document_id": "l1" })),
        server.post("/api/v1/documents/l1/retry", &Value::Null),
    ] {
        let answer = refused.send().await.unwrap();
        assert_eq!(answer.status(), 501);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let problem: Value = answer.json().await.unwrap();
        assert!(problem["detail"].as_str().unwrap().contains("STATUS_SQL"), "{problem}");
    }
    let list: Value = server.get("/api/v1/patients/p1/documents").send().await.unwrap().json().await.unwrap();
    let ready: Value = server.get("/readyz").send().await.unwrap().json().await.unwrap();

    assert_eq!(list["documents"][0]["status"], "uploaded");
    assert_eq!(ready["sources"]["postgres"]["state"], "up");
}

#[tokio::test]
async fn a_status_nobody_explained_is_told_once_and_without_ids() {
    let (database, url) = letters("reader_of_words").await;
    database.run("UPDATE letters SET state = 'in der Post'").await;
    let server = Server::start(&settings(&url));

    for _ in 0..3 {
        let list = server.get("/api/v1/patients/p1/documents").send().await.unwrap();
        assert_eq!(list.json::<Value>().await.unwrap(), json!({ "documents": [] }));
    }

    let log = server.log();
    let told: Vec<_> = log.lines().filter(|line| line.contains("in der Post")).collect();
    assert_eq!(told.len(), 1, "{log}");
    assert!(told[0].contains("STATUS_MAP") && !told[0].contains("l1") && !told[0].contains("p1"), "{told:?}");
}

#[tokio::test]
async fn a_statement_that_does_not_do_stops_the_start_with_one_line() {
    let (database, url) = letters("starter").await;
    database.run("CREATE TABLE secrets (id text)").await;
    for (statement, wrong) in [
        ("SELECT 1", "document_id"),
        (
            "SELECT id AS document_id, patient AS patient_id, state AS status, changed AS updated_at FROM letters",
            "$1",
        ),
        ("DELETE FROM letters", "syntax error"),
        ("SELECT * FROM secrets WHERE id = ANY($1)", "permission denied"),
    ] {
        for command in ["serve", "check"] {
            let settings = [("DATABASE_URL", &*url), ("STATUS_SQL", statement), ("PORT", "0")];
            let ended = program::run(&[command], &settings).await;

            let said = [ended.stdout, ended.stderr].concat();
            let said = String::from_utf8(said).unwrap();
            let line =
                said.lines().find(|line| line.contains("STATUS_SQL ")).unwrap_or_else(|| panic!("{said}"));
            assert!(!ended.status.success() && line.contains(wrong) && line.contains("one SELECT"), "{line}");
        }
    }
    let migrated = program::run(&["migrate"], &settings(&url)).await;
    assert!(migrated.status.success());
    let checked = program::run(&["check"], &settings(&url)).await;
    let checked = String::from_utf8(checked.stdout).unwrap();
    assert!(checked.contains("STATUS_SQL runs"), "{checked}");
}

#[tokio::test]
async fn a_chat_is_what_its_events_tell_as_nothing_may_be_kept() {
    let (_database, url) = letters("chatter").await;
    let server = Server::start(&settings(&url));
    let mut viewer = Viewer::open(server.get("/api/v1/cases/c1/chat/stream")).await;
    viewer.until("connected").await;

    let kept = server.post("/api/v1/cases/c1/messages", &json!({ "content": "x" })).send().await.unwrap();
    let data = json!({ "id": "m1", "content": "x", "role": "agent" });
    let event = json!({ "type": "message", "data": data });
    let told = server.post("/api/v1/streams/chat/c1/events", &event).send().await.unwrap();

    assert_eq!((kept.status().as_u16(), told.status().as_u16()), (501, 202));
    assert_eq!(viewer.until("message").await.text("id"), "m1");
    let snapshot =
        Viewer::open(server.get("/api/v1/cases/c1/chat/stream")).await.until("connected").await.data;
    assert_eq!(snapshot["messages"][0]["id"], "m1");
}

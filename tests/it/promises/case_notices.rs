//! A case is told of its documents: once each, whatever happens in between.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, SqlitePool};
use tokio::time::{sleep, timeout};

use crate::support::{
    Server, Viewer,
    documents::{confirm, put, put_in_case, read_named},
};

const NOTICES: [&str; 2] = ["Your document has been read.", "What your document says has been worked out."];
/// Which move a document is kept from, and where it stands then: before, between and behind both notices.
const CUTS: [(&str, &str); 5] = [
    ("ocr_processing", "uploaded"),
    ("ocr_complete", "ocr_processing"),
    ("analyzing", "ocr_complete"),
    ("analyzed", "analyzing"),
    ("complete", "analyzed"),
];
const WITHIN: Duration = Duration::from_secs(120);
/// The table says which document may not move where. The pipeline tries again for half a minute.
const HOLD: &str = "
CREATE TABLE held (document_id TEXT, status TEXT);
CREATE TRIGGER hold BEFORE UPDATE OF status ON documents
WHEN EXISTS (SELECT 1 FROM held WHERE document_id = NEW.document_id AND status = NEW.status)
BEGIN SELECT RAISE(ABORT, 'held'); END";

pub async fn messages(server: &Server, case: &str) -> Vec<Value> {
    let mut viewer = Viewer::open(server.get(&format!("/api/v1/cases/{case}/chat/stream"))).await;
    let snapshot = viewer.until("connected").await.data;
    snapshot["messages"].as_array().unwrap().clone()
}

fn contents(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["content"].as_str().unwrap()).collect()
}

async fn run(pool: &SqlitePool, statement: &str) {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(pool).await.unwrap();
}

async fn stands_at(pool: &SqlitePool, document: &str, status: &str) {
    let query = "SELECT 1 FROM documents WHERE document_id = $1 AND status = $2";
    let stands = async {
        while sqlx::query(query).bind(document).bind(status).fetch_optional(pool).await.unwrap().is_none() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(WITHIN, stands).await.unwrap_or_else(|_| panic!("{document} never stands at {status}"));
}

#[tokio::test]
async fn a_case_is_told_once_wherever_the_process_is_killed() {
    let server = Server::start(&[]);
    let url = format!("sqlite://{}/data/tidings.db", server.folder.path().display());
    let pool = SqlitePool::connect(&url).await.unwrap();
    run(&pool, HOLD).await;
    let mut documents = Vec::new();
    for (next, _) in CUTS {
        let document = put_in_case(&server, "p1", "lab_report.pdf", next).await;
        run(&pool, &format!("INSERT INTO held VALUES ('{document}', '{next}')")).await;
        confirm(&server, &document).await;
        documents.push(document);
    }
    for (document, (_, status)) in documents.iter().zip(CUTS) {
        stands_at(&pool, document, status).await;
    }

    let folder = server.crash();
    run(&pool, "DELETE FROM held").await;
    let server = Server::start_in(folder, &[("STATUS_INTERVAL_MS", "300")]);

    for (document, (case, _)) in documents.iter().zip(CUTS) {
        let seen = timeout(WITHIN, read_named(&server, "p1", document)).await.expect("it ends");
        assert_eq!(seen.last().unwrap().data["documents"][0]["status"], "complete");
        let messages = messages(&server, case).await;
        assert_eq!(contents(&messages), NOTICES, "killed before {case}");
        for (message, stage) in messages.iter().zip(["ocr_complete", "analysis_complete"]) {
            let sender = json!({ "name": "Documents", "document_id": document, "stage": stage });
            assert_eq!((&message["role"], &message["sender"]), (&json!("system"), &sender));
        }
    }
}

#[tokio::test]
async fn whoever_watches_the_case_is_told_at_once_and_without_a_case_nobody_is() {
    let server = Server::start(&[]);
    let mut viewer = Viewer::open(server.get("/api/v1/cases/c1/chat/stream")).await;
    viewer.until("connected").await;
    let without = put(&server, "p1", "mri_knee.pdf").await;
    let document = put_in_case(&server, "p1", "lab_report.pdf", "c1").await;

    confirm(&server, &without).await;
    read_named(&server, "p1", &without).await;
    confirm(&server, &document).await;

    for words in NOTICES {
        let message = viewer.until("message").await;
        assert_eq!((message.text("content"), message.id.is_some()), (words.to_owned(), true));
        assert_eq!(message.data["sender"]["document_id"], document.as_str());
    }
    let metrics = server.get("/metrics").send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("tidings_messages_stored_total 2\n"), "the other document has no case");
}

#[tokio::test]
async fn a_failed_document_tried_again_tells_its_next_attempt() {
    let server = Server::start(&[]);
    let document = put_in_case(&server, "p1", "lab_report.pdf", "c1").await;
    let url = format!("sqlite://{}/data/tidings.db", server.folder.path().display());
    let pool = SqlitePool::connect(&url).await.unwrap();
    confirm(&server, &document).await;
    read_named(&server, "p1", &document).await;

    run(&pool, "UPDATE documents SET status = 'failed', reason = 'internal'").await;
    let retry = server.post(&format!("/api/v1/documents/{document}/retry"), &json!({}));
    assert_eq!(retry.send().await.unwrap().status(), 202);
    stands_at(&pool, &document, "complete").await;

    assert_eq!(contents(&messages(&server, "c1").await), [NOTICES, NOTICES].concat());
}

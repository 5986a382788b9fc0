//! kill -9 in each stage: another instance, or the next start, ends every document.

use std::time::Duration;

use futures::future::join_all;
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool, SqlitePool};
use tidings::documents::DocumentStatus::{
    self, Analyzed, Analyzing, Complete, OcrComplete, OcrProcessing, Uploaded,
};
use tokio::time::{sleep, timeout};

use crate::support::{
    Database, Server,
    documents::{confirm, put, read_named},
};

/// Which move keeps a document in which stage.
const STAGES: [(DocumentStatus, DocumentStatus); 5] = [
    (Uploaded, OcrProcessing),
    (OcrProcessing, OcrComplete),
    (OcrComplete, Analyzing),
    (Analyzing, Analyzed),
    (Analyzed, Complete),
];
/// A lease ends after 15 s; the rest is for a busy machine.
const WITHIN: Duration = Duration::from_secs(120);
/// The table says which document may not move where. The pipeline tries again for half a minute.
const HOLD_POSTGRES: &str = "
CREATE TABLE held (document_id TEXT, status TEXT);
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF EXISTS (SELECT FROM held WHERE document_id = NEW.document_id AND status = NEW.status)
    THEN RAISE EXCEPTION 'held'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER hold BEFORE UPDATE OF status ON documents FOR EACH ROW EXECUTE FUNCTION hold()";
const HOLD_SQLITE: &str = "
CREATE TABLE held (document_id TEXT, status TEXT);
CREATE TRIGGER hold BEFORE UPDATE OF status ON documents
WHEN EXISTS (SELECT 1 FROM held WHERE document_id = NEW.document_id AND status = NEW.status)
BEGIN SELECT RAISE(ABORT, 'held'); END";

/// A database whose documents can be held.
enum Hold {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Hold {
    async fn run(&self, statement: &str) {
        let statement = AssertSqlSafe(statement);
        match self {
            Self::Sqlite(pool) => drop(sqlx::raw_sql(statement).execute(pool).await.unwrap()),
            Self::Postgres(pool) => drop(sqlx::raw_sql(statement).execute(pool).await.unwrap()),
        }
    }

    /// Puts and confirms a document for each stage, and waits until each stands there.
    async fn one_in_each_stage(&self, server: &Server) -> Vec<String> {
        let mut documents = Vec::new();
        for (_, next) in STAGES {
            let document = put(server, "p1", "lab_report.pdf").await;
            self.run(&format!("INSERT INTO held VALUES ('{document}', '{next}')")).await;
            confirm(server, &document).await;
            documents.push(document);
        }
        for (document, (stage, _)) in documents.iter().zip(STAGES) {
            timeout(WITHIN, async {
                while status(server, document).await != stage.as_str() {
                    sleep(Duration::from_millis(20)).await;
                }
            })
            .await
            .unwrap_or_else(|_| panic!("{document} never stands at {stage}"));
        }
        documents
    }

    async fn let_go(&self) {
        self.run("DELETE FROM held").await;
    }
}

async fn status(server: &Server, document: &str) -> String {
    let list: Value = server.get("/api/v1/patients/p1/documents").send().await.unwrap().json().await.unwrap();
    let mut documents = list["documents"].as_array().unwrap().iter();
    let found = documents.find(|listed| listed["document_id"] == document);
    found.map(|listed| listed["status"].as_str().unwrap().to_owned()).unwrap_or_default()
}

/// The status every stream ends with.
async fn ends(server: &Server, documents: &[String]) -> Vec<String> {
    let ends = documents.iter().map(|document| async {
        let seen = timeout(WITHIN, read_named(server, "p1", document)).await.expect("it ends");
        let done = seen.last().unwrap();
        assert_eq!(done.name, "done");
        done.data["documents"][0]["status"].as_str().unwrap().to_owned()
    });
    join_all(ends).await
}

#[tokio::test]
async fn the_other_instance_ends_what_a_killed_one_left_in_any_stage() {
    let database = Database::new().await;
    let environment = [("DATABASE_URL", database.url.as_str()), ("STATUS_INTERVAL_MS", "300")];
    let folder = tempfile::tempdir().unwrap();
    let files = format!("file://{}", folder.path().display());
    let environment = [&environment[..], &[("STORAGE_URL", &files)]].concat();
    let (first, second) = (Server::start(&environment), Server::start(&environment));
    let hold = Hold::Postgres(PgPool::connect(&database.url).await.unwrap());
    hold.run(HOLD_POSTGRES).await;
    let documents = hold.one_in_each_stage(&first).await;

    assert!(!second.log().contains("took up documents"), "{}", second.log());
    first.crash();
    hold.let_go().await;

    assert_eq!(ends(&second, &documents).await, ["complete"; STAGES.len()]);
    assert!(second.log().contains("took up documents"), "{}", second.log());
    assert_eq!(taken_up(&second).await, STAGES.len(), "each once");
}

#[tokio::test]
async fn the_next_start_ends_what_a_killed_process_left_in_any_stage() {
    let server = Server::start(&[]);
    let url = format!("sqlite://{}/data/tidings.db", server.folder.path().display());
    let hold = Hold::Sqlite(SqlitePool::connect(&url).await.unwrap());
    hold.run(HOLD_SQLITE).await;
    let documents = hold.one_in_each_stage(&server).await;

    let folder = server.crash();
    hold.let_go().await;
    let server = Server::start_in(folder, &[("STATUS_INTERVAL_MS", "300")]);

    assert_eq!(ends(&server, &documents).await, ["complete"; STAGES.len()]);
}

#[tokio::test]
async fn a_process_that_is_stopped_lets_go_of_its_documents_at_once() {
    let mut server = Server::start(&[]);
    let url = format!("sqlite://{}/data/tidings.db", server.folder.path().display());
    let hold = Hold::Sqlite(SqlitePool::connect(&url).await.unwrap());
    hold.run(HOLD_SQLITE).await;
    let documents = hold.one_in_each_stage(&server).await;

    server.terminate();
    server.ended(Duration::from_secs(20)).await.expect("it ends");
    hold.let_go().await;
    let server = Server::start_in(server.crash(), &[("STATUS_INTERVAL_MS", "300")]);

    assert_eq!(taken_up(&server).await, STAGES.len(), "at the start, before the first request");
    assert_eq!(ends(&server, &documents).await, ["complete"; STAGES.len()]);
}

#[tokio::test]
async fn what_stands_still_past_its_deadline_ends_as_worker_silent() {
    let server = Server::start(&[]);
    let url = format!("sqlite://{}/data/tidings.db", server.folder.path().display());
    let pool = SqlitePool::connect(&url).await.unwrap();
    let hold = Hold::Sqlite(pool.clone());
    hold.run(HOLD_SQLITE).await;
    let documents = hold.one_in_each_stage(&server).await;

    let folder = server.crash();
    hold.let_go().await;
    // As if every worker of the last half hour had died of them.
    hold.run("UPDATE documents SET updated_at = updated_at - 31 * 60 * 1000, leased_until = 0").await;
    let server = Server::start_in(folder, &[("STATUS_INTERVAL_MS", "300")]);

    for document in &documents {
        let seen = timeout(WITHIN, read_named(&server, "p1", document)).await.expect("it ends");
        let end = &seen.last().unwrap().data["documents"][0];
        assert_eq!((&end["status"], &end["reason"]), (&"failed".into(), &"worker_silent".into()));
    }
}

#[tokio::test]
async fn a_document_whose_confirm_was_never_answered_is_worked_on_all_the_same() {
    let server = Server::start(&[("STATUS_INTERVAL_MS", "300")]);
    let url = format!("sqlite://{}/data/tidings.db", server.folder.path().display());
    let hold = Hold::Sqlite(SqlitePool::connect(&url).await.unwrap());
    let document = put(&server, "p1", "lab_report.pdf").await;

    // What a COMMIT whose answer was lost leaves: the document is there, and nobody began.
    hold.run(&format!(
        "INSERT INTO documents (document_id, patient_id, filename, content_type, size, case_id, procedure_code,
                                status, rank, attempt, created_at, updated_at, worker, leased_until)
         SELECT document_id, patient_id, filename, content_type, size, case_id, procedure_code, 'uploaded', 0, 1,
                created_at, created_at, 'lost', created_at + 15000
         FROM uploads WHERE document_id = '{document}'"
    ))
    .await;
    confirm(&server, &document).await;

    assert_eq!(ends(&server, &[document]).await, ["complete"]);
}

async fn taken_up(server: &Server) -> usize {
    let metrics = server.get("/metrics").send().await.unwrap().text().await.unwrap();
    let line = metrics.lines().find_map(|line| line.strip_prefix("tidings_documents_taken_up_total "));
    line.expect("it is counted from the start").parse().unwrap()
}

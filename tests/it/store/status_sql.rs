//! Statuses from tables of somebody else, in all the shapes they come in.

use std::{collections::HashMap, sync::Arc};

use tidings::{
    documents::{DocumentStatus, StatusQuery, StatusSource, StatusSql, StatusSqlError, StatusSqlSettings},
    event::Id,
    telemetry::Metrics,
};

use crate::support::Database;

const STATEMENT: &str =
    "SELECT document_id, patient_id, status, updated_at FROM theirs WHERE patient_id = ANY($1)";
const UUIDS: &str =
    "SELECT document_id, patient_id, status, updated_at FROM theirs WHERE patient_id = ANY($1::uuid[])";
const ANN: &str = "0b5f6a1e-9a55-4a0e-8a36-0f6c0a1d2e3f";
const BEN: &str = "5d2c8f3a-11aa-4bd0-9c11-8e7d6c5b4a39";

async fn theirs(columns: &str) -> Database {
    let database = Database::new().await;
    database.run(&format!("CREATE TABLE theirs ({columns})")).await;
    database
}

async fn texts() -> Database {
    theirs("document_id text, patient_id text, status text, updated_at bigint").await
}

async fn open(database: &Database, statement: &str) -> Result<StatusSql, StatusSqlError> {
    open_at(&database.url, statement, Arc::default()).await
}

async fn open_at(url: &str, statement: &str, metrics: Arc<Metrics>) -> Result<StatusSql, StatusSqlError> {
    let words = HashMap::from([
        ("in Arbeit".to_owned(), DocumentStatus::Analyzing),
        ("fertig".to_owned(), DocumentStatus::Complete),
    ]);
    let settings = StatusSqlSettings::new(statement, words);
    StatusSql::open(&url.parse().unwrap(), &settings, metrics).await
}

async fn refused(database: &Database, statement: &str) -> String {
    let Err(error) = open(database, statement).await else { panic!("{statement:?} is taken") };
    let error = error.to_string();
    assert!(error.starts_with("STATUS_SQL ") && error.contains("it must be one SELECT"), "{error}");
    assert!(!error.contains('\n'), "{error}");
    error
}

fn of(patients: &[&str]) -> StatusQuery {
    let patients = patients.iter().map(|patient| Id::parse(patient).unwrap()).collect();
    StatusQuery { patients, ..StatusQuery::default() }
}

async fn listed(source: &StatusSql, query: &StatusQuery) -> Vec<String> {
    source.statuses(query).await.unwrap().iter().map(|record| record.document_id.to_string()).collect()
}

#[tokio::test]
async fn their_types_and_words_become_ours() {
    for (id, time, when) in [
        ("text", "bigint", "1700000000123"),
        ("varchar(40)", "timestamptz", "'2023-11-14 23:13:20.123+01'"),
        ("uuid", "timestamp", "'2023-11-14 22:13:20.123'"),
        ("char(36)", "timestamptz", "'2023-11-14 22:13:20.123Z'"),
    ] {
        let database =
            theirs(&format!("document_id {id}, patient_id {id}, status text, updated_at {time}")).await;
        database.run(&format!("INSERT INTO theirs VALUES ('{BEN}', '{ANN}', 'in Arbeit', {when})")).await;
        let statement = if id == "uuid" { UUIDS } else { STATEMENT };

        let source = open(&database, statement).await.unwrap();
        let [document] = &source.statuses(&of(&[ANN])).await.unwrap()[..] else { panic!("{id} {time}") };

        assert_eq!((document.document_id.as_str(), document.patient_id.as_str()), (BEN, ANN));
        assert_eq!((document.status, document.attempt), (DocumentStatus::Analyzing, 1));
        assert_eq!(document.updated_at, 1_700_000_000_123, "{time}");
    }
}

#[tokio::test]
async fn an_enum_a_domain_and_the_columns_nobody_has_to_give_are_read() {
    let database = Database::new().await;
    database
        .run(
            "CREATE TYPE state AS ENUM ('fertig', 'failed'); CREATE DOMAIN moment AS timestamptz;
             CREATE TABLE theirs (id int, who text, state state, at moment, file text, why text, try smallint);
             INSERT INTO theirs VALUES (7, 'p1', 'failed', to_timestamp(5), 'a.pdf', 'unreadable', 3)",
        )
        .await;
    let statement = "WITH mine AS (SELECT * FROM theirs WHERE who = ANY($1)) -- all of it
                     SELECT id AS document_id, who AS patient_id, state AS status, at AS updated_at,
                            file AS filename, why AS reason, try AS attempt, 'more' AS more FROM mine; ";

    let source = open(&database, statement).await.unwrap();
    let [document] = &source.statuses(&of(&["p1"])).await.unwrap()[..] else { panic!("one document") };

    assert_eq!((document.document_id.as_str(), document.updated_at), ("7", 5_000));
    assert_eq!(
        (document.filename.as_deref(), document.reason.as_deref()),
        (Some("a.pdf"), Some("unreadable"))
    );
    assert_eq!((document.status, document.attempt), (DocumentStatus::Failed, 3));
}

#[tokio::test]
async fn a_statement_that_does_not_do_is_refused_with_what_is_wrong() {
    let database = texts().await;
    let columns = "document_id, patient_id, status, updated_at";
    for (statement, wrong) in [
        ("SELECT document_id, patient_id, status FROM theirs WHERE patient_id = ANY($1)", "updated_at"),
        ("SELECT * FROM theirs", "$1"),
        ("SELECT * FROM theirs WHERE patient_id = '$1'", "$1"),
        ("SELECT * FROM theirs WHERE patient_id = ANY($1) AND status = $2", "parameter"),
        ("SELECT * FROM theirs WHERE patient_id = ANY($1::uuid[])", "operator does not exist"),
        ("SELECT * FROM nowhere WHERE patient_id = ANY($1)", "nowhere"),
        ("SELECT * FROM theirs WHERE patient_id = ANY($1); SELECT 1", "syntax error"),
        ("SELECT 1) AS a; DROP TABLE theirs; SELECT * FROM (SELECT 1", "syntax error"),
        ("UPDATE theirs SET status = 'x' WHERE patient_id = ANY($1) RETURNING *", "syntax error"),
        ("SELECT * FROM theirs WHERE patient_id = ANY($1) FOR UPDATE", "read-only"),
        ("nonsense", "syntax error"),
    ] {
        let error = refused(&database, statement).await;
        assert!(error.contains(wrong), "{statement}: {error}");
    }
    for (column, as_what) in
        [("updated_at", "now()::date"), ("status", "1"), ("patient_id", "now()"), ("document_id", "true")]
    {
        let shown = columns.replace(column, &format!("{as_what} AS {column}"));
        let error =
            refused(&database, &format!("SELECT {shown} FROM theirs WHERE patient_id = ANY($1)")).await;
        assert!(error.contains(&format!("returns {column} as ")), "{error}");
    }
    assert_eq!(database.number("SELECT count(*) FROM theirs").await, 0, "the table is still there");
}

#[tokio::test]
async fn an_id_that_their_column_refuses_takes_nobody_else_down() {
    let database = theirs("document_id uuid, patient_id uuid, status text, updated_at timestamptz").await;
    database
        .run(&format!(
            "INSERT INTO theirs VALUES ('{ANN}', '{ANN}', 'fertig', now() - interval '1 s'), ('{BEN}', '{BEN}', 'fertig', now())"
        ))
        .await;
    let metrics = Arc::<Metrics>::default();
    let source = open_at(&database.url, UUIDS, Arc::clone(&metrics)).await.unwrap();
    let strangers: Vec<_> = (0..7).map(|n| format!("patient-{n}")).collect();
    let mut patients: Vec<_> = strangers.iter().map(String::as_str).collect();
    patients.insert(3, ANN);
    patients.push(BEN);

    for _ in 0..3 {
        assert_eq!(listed(&source, &of(&patients)).await, [BEN, ANN]);
    }

    assert!(listed(&source, &of(&["patient-0"])).await.is_empty());
    let counted = "tidings_status_rows_left_out_total{reason=\"refused_id\"} 7\n";
    assert!(metrics.encode().contains(counted), "each is asked for once");
}

#[tokio::test]
async fn a_uuid_in_capitals_is_the_same_patient() {
    let database = theirs("document_id text, patient_id uuid, status text, updated_at timestamptz").await;
    database.run(&format!("INSERT INTO theirs VALUES ('d1', '{ANN}', 'fertig', now())")).await;
    let source = open(&database, UUIDS).await.unwrap();

    let capitals = ANN.to_uppercase();
    let read = source.statuses(&of(&[&capitals])).await.unwrap();

    assert_eq!(read[0].patient_id.as_str(), capitals);
}

#[tokio::test]
async fn a_value_that_breaks_one_patient_takes_nobody_else_down() {
    let database = texts().await;
    database.run("INSERT INTO theirs VALUES ('d1', 'p1', 'fertig', 1), ('d2', 'p2', 'fertig', 0)").await;
    let dividing = STATEMENT.replace("updated_at FROM", "1000 / updated_at AS updated_at FROM");

    let source = open(&database, &dividing).await.unwrap();
    assert_eq!(listed(&source, &of(&["p1", "p2"])).await, ["d1"]);
    database.run("UPDATE theirs SET updated_at = 2").await;

    assert_eq!(listed(&source, &of(&["p1", "p2"])).await, ["d1", "d2"], "it is asked for again");
}

#[tokio::test]
async fn what_nobody_explained_or_asked_for_is_left_out_and_counted() {
    let database = texts().await;
    database
        .run(
            "INSERT INTO theirs VALUES ('d1', 'p1', 'fertig', 1), ('d2', 'p1', 'geparkt', 1), ('d3', 'p2', 'fertig', 1),
             ('d 4', 'p1', 'fertig', 1), (NULL, 'p1', 'fertig', 1), ('d5', 'p1', NULL, 1), ('d6', 'p1', 'fertig', NULL)",
        )
        .await;
    let metrics = Arc::<Metrics>::default();
    let everybody = "SELECT * FROM theirs WHERE $1::text[] IS NOT NULL";
    let source = open_at(&database.url, everybody, Arc::clone(&metrics)).await.unwrap();

    assert_eq!(listed(&source, &of(&["p1"])).await, ["d1"]);

    for (reason, count) in [("unknown_status", 1), ("other_patient", 1), ("unreadable", 4)] {
        let line = format!("tidings_status_rows_left_out_total{{reason=\"{reason}\"}} {count}\n");
        assert!(metrics.encode().contains(&line), "{line}: {}", metrics.encode());
    }
}

#[tokio::test]
async fn the_newest_50_the_active_and_the_named_are_read() {
    let database = texts().await;
    database
        .run(
            "INSERT INTO theirs SELECT 'd' || n, 'p1', 'fertig', n FROM generate_series(1, 60) AS n;
             INSERT INTO theirs VALUES ('active', 'p1', 'in Arbeit', 1), ('older', 'p1', 'in Arbeit', 0)",
        )
        .await;
    let source = open(&database, STATEMENT).await.unwrap();

    let query = StatusQuery { named: vec![Id::parse("d2").unwrap()], active_since: 1, ..of(&["p1"]) };
    let read = listed(&source, &query).await;

    assert_eq!(read.len(), 52);
    assert!(["d60", "d11", "d2", "active"].iter().all(|id| read.iter().any(|read| read == id)), "{read:?}");
}

#[tokio::test]
async fn a_role_that_may_only_read_suffices() {
    let database = texts().await;
    database
        .run(
            "INSERT INTO theirs VALUES ('d1', 'p1', 'fertig', 1);
             ALTER TABLE theirs ADD diagnosis text; CREATE ROLE reader LOGIN;
             GRANT SELECT (document_id, patient_id, status, updated_at) ON theirs TO reader;
             REVOKE ALL ON SCHEMA public FROM PUBLIC; GRANT USAGE ON SCHEMA public TO reader",
        )
        .await;
    let source = open_at(&database.url_for("reader"), STATEMENT, Arc::default()).await.unwrap();

    assert_eq!(listed(&source, &of(&["p1"])).await, ["d1"]);
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(database.number(tables).await, 1, "no table of ours is made");
}

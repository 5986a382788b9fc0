//! Behind a pooler in transaction mode: no statement may count on the session of another one.

use std::{collections::HashMap, sync::Arc};

use futures::future::join_all;
use tidings::{
    clock::Clock,
    documents::{DatabaseUrl, StatusQuery, StatusSource, StatusSql, StatusSqlSettings, migrate, open},
    event::Id,
};

use super::suite::run_all;
use crate::support::{
    Database, PgBouncer, Server, Viewer,
    documents::{confirm, put},
    postgres::migrations,
    program,
};

#[tokio::test]
async fn the_contract_is_kept_through_the_pooler() {
    let database = Database::new().await;
    let pooler = PgBouncer::before(&database).await;
    let url: DatabaseUrl = pooler.url(&database).parse().unwrap();

    migrate(&url).await.unwrap();
    let store = open(&url, Clock::System).await.unwrap();

    run_all(&*store).await;
}

#[tokio::test]
async fn processes_that_migrate_at_once_through_the_pooler_all_succeed() {
    let database = Database::new().await;
    let pooler = PgBouncer::before(&database).await;
    let url = pooler.url(&database);

    let settings = [("DATABASE_URL", &*url)];
    for migrated in join_all((0..4).map(|_| program::run(&["migrate"], &settings))).await {
        let said = String::from_utf8([migrated.stdout, migrated.stderr].concat()).unwrap();
        assert!(
            migrated.status.success() && said.contains(&format!("{} migrations", migrations())),
            "{said}"
        );
    }

    let applied = database.number("SELECT count(*) FROM _sqlx_migrations").await;
    assert_eq!(usize::try_from(applied), Ok(migrations()));
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'";
    assert_eq!(database.number(locks).await, 0, "no lock strands");
}

#[tokio::test]
async fn servers_share_the_pooler_and_their_documents() {
    let database = Database::new().await;
    let pooler = PgBouncer::before(&database).await;
    let url = pooler.url(&database);
    let folder = tempfile::tempdir().unwrap();
    let files = format!("file://{}", folder.path().display());
    let settings = [("DATABASE_URL", &*url), ("STORAGE_URL", &files)];
    let (first, second) = (Server::start(&settings), Server::start(&settings));

    let document = put(&first, "p1", "lab_report.pdf").await;
    let stream = format!("/api/v1/patients/p1/documents/stream?document_id={document}");
    let viewer = Viewer::open(second.get(&stream)).await;
    confirm(&first, &document).await;
    let seen = viewer.rest().await;

    // The steps stay in the first process; the outcome is in the database they share.
    assert_eq!(seen.last().unwrap().name, "done");
    assert_eq!(seen.last().unwrap().data["documents"][0]["status"], "complete");
}

#[tokio::test]
async fn migrations_go_over_the_direct_url() {
    let database = Database::new().await;
    database
        .run(
            "CREATE ROLE app LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC;
             ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE ON TABLES TO app",
        )
        .await;
    let url = database.url_for("app");

    let alone = program::run(&["migrate"], &[("DATABASE_URL", &url)]).await;
    let server = Server::start(&[("DATABASE_URL", &url), ("DATABASE_DIRECT_URL", &database.url)]);
    let document = put(&server, "p1", "lab_report.pdf").await;
    confirm(&server, &document).await;

    let line = String::from_utf8(alone.stderr).unwrap();
    assert!(line.contains("DATABASE_URL") && line.contains("permission denied"), "{line}");
}

#[tokio::test]
async fn statuses_of_theirs_are_read_through_the_pooler() {
    let database = Database::new().await;
    database
        .run(
            "CREATE TABLE theirs (document_id text, patient_id uuid, status text, updated_at timestamptz);
             INSERT INTO theirs SELECT 'd1', '0b5f6a1e-9a55-4a0e-8a36-0f6c0a1d2e3f', 'complete', now()",
        )
        .await;
    let pooler = PgBouncer::before(&database).await;
    let statement = "SELECT * FROM theirs WHERE patient_id = ANY($1::uuid[])";
    let settings = StatusSqlSettings::new(statement, HashMap::new());
    let url = pooler.url(&database).parse().unwrap();
    let source = StatusSql::open(&url, &settings, Arc::default()).await.unwrap();
    let patients = ["0b5f6a1e-9a55-4a0e-8a36-0f6c0a1d2e3f", "p1"].map(|id| Id::parse(id).unwrap());
    let query = StatusQuery { patients: patients.into(), ..StatusQuery::default() };

    // More at once than the pooler has connections, each with an id that is refused.
    for read in join_all((0..12).map(|_| source.statuses(&query))).await {
        assert_eq!(read.unwrap()[0].document_id.as_str(), "d1");
    }
}

//! The Postgres store: the suite, and what is of its own.

use std::time::Duration;

use tidings::{
    clock::Clock,
    documents::{DatabaseUrl, StatusQuery, migrate, open},
    event::Id,
};

use super::suite::{
    RUNS, TIMED, durations_are_those_of_whole_documents, run_all, runs_are_those_whose_times_are_known,
};
use crate::support::{Database, Postgres, postgres::migrations};

fn named(url: &str) -> DatabaseUrl {
    url.parse().unwrap()
}

#[tokio::test]
async fn the_postgres_store_keeps_the_contract() {
    let database = Database::new().await;
    migrate(&named(&database.url)).await.unwrap();

    let store = open(&named(&database.url), Clock::System).await.unwrap();

    run_all(&*store).await;
    store.close().await;
}

#[tokio::test]
async fn nine_in_ten_took_no_longer_than_is_told() {
    let database = Database::new().await;
    migrate(&named(&database.url)).await.unwrap();
    database.run(TIMED).await;

    let store = open(&named(&database.url), Clock::System).await.unwrap();

    durations_are_those_of_whole_documents(&*store).await;
}

#[tokio::test]
async fn a_run_counts_where_all_its_times_are_known() {
    let database = Database::new().await;
    migrate(&named(&database.url)).await.unwrap();
    database.run(RUNS).await;

    let store = open(&named(&database.url), Clock::System).await.unwrap();

    runs_are_those_whose_times_are_known(&*store).await;
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let database = Database::new().await;
    let url = named(&database.url);

    let first = migrate(&url).await.unwrap();

    assert_eq!(migrate(&url).await.unwrap(), first);
}

#[tokio::test]
async fn processes_that_migrate_at_once_all_succeed() {
    let database = Database::new().await;
    let url = named(&database.url);

    let migrated = futures::future::join_all((0..6).map(|_| migrate(&url))).await;

    for applied in migrated {
        assert_eq!(applied.unwrap(), migrations());
    }
    let applied = database.number("SELECT count(*) FROM _sqlx_migrations").await;
    assert_eq!(usize::try_from(applied), Ok(migrations()));
}

#[tokio::test]
async fn a_migration_that_is_not_ours_is_refused() {
    let database = Database::new().await;
    let url = named(&database.url);
    migrate(&url).await.unwrap();

    database.run("UPDATE _sqlx_migrations SET checksum = '\\x00' WHERE version = 2").await;
    assert!(migrate(&url).await.is_err());
    database.run("UPDATE _sqlx_migrations SET version = 99 WHERE version = 2").await;

    assert!(migrate(&url).await.is_err());
}

#[tokio::test]
async fn text_of_a_hostile_pdf_is_kept_whatever_it_holds() {
    let database = Database::new().await;
    migrate(&named(&database.url)).await.unwrap();

    let kept = "INSERT INTO documents VALUES ('d', 'p', 'f', 't', 1, NULL, NULL, 'analyzed', 4, NULL, 1, \
                '{\"words\": \"a\\u0000b\"}', NULL, 1, 1)";
    database.run(kept).await;

    assert_eq!(database.number("SELECT count(findings) FROM documents").await, 1);
}

#[tokio::test]
async fn a_read_that_is_given_up_takes_no_connection_with_it() {
    let database = Database::new().await;
    migrate(&named(&database.url)).await.unwrap();
    let store = open(&named(&database.url), Clock::System).await.unwrap();
    let mut locking = sqlx::PgPool::connect(&database.url).await.unwrap().begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE documents").execute(&mut *locking).await.unwrap();
    let query = StatusQuery { patients: vec![Id::parse("p1").unwrap()], ..StatusQuery::default() };

    for _ in 0..20 {
        assert!(tokio::time::timeout(Duration::from_millis(50), store.statuses(&query)).await.is_err());
    }
    locking.rollback().await.unwrap();

    assert!(store.statuses(&query).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_store_outlives_the_crash_of_its_server() {
    let mut server = Postgres::start();
    let url = named(&server.create("tidings").await);
    migrate(&url).await.unwrap();
    let store = open(&url, Clock::System).await.unwrap();
    let document = Id::parse("d1").unwrap();
    assert!(store.document(&document).await.unwrap().is_none());

    server.crash();
    assert!(store.document(&document).await.is_err());
    server.start_again();

    assert!(store.document(&document).await.unwrap().is_none());
}

#[tokio::test]
async fn a_url_as_a_provider_gives_it_is_taken_with_its_tls() {
    let server = Postgres::start_with_tls("p@ss/word");
    let plain = server.url("tidings:p%40ss%2Fword", "postgres").replace("postgres://", "postgresql://");

    let url = named(&format!("{plain}?sslmode=require&channel_binding=require"));
    assert_eq!(migrate(&url).await.unwrap(), migrations());
    let store = open(&url, Clock::System).await.unwrap();

    assert!(store.unfinished().await.unwrap().is_empty());
    assert!(open(&named(&format!("{plain}?sslmode=disable")), Clock::System).await.is_err());
}

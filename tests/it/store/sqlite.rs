//! The SQLite store: the suite, and what is of its own.

use sqlx::{Connection, SqliteConnection};
use tidings::{clock::Clock, documents::SqliteStore};

use super::suite::{
    RUNS, TIMED, durations_are_those_of_whole_documents, run_all, runs_are_those_whose_times_are_known,
};

async fn open(folder: &tempfile::TempDir) -> SqliteStore {
    let store = SqliteStore::open(&format!("sqlite://{}/t.db", folder.path().display()), Clock::System)
        .await
        .unwrap();
    store.migrate().await.unwrap();
    store
}

#[tokio::test]
async fn the_sqlite_store_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();

    run_all(&open(&folder).await).await;
}

#[tokio::test]
async fn nine_in_ten_took_no_longer_than_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    let url = format!("sqlite://{}/t.db", folder.path().display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(TIMED).execute(&mut connection).await.unwrap();

    durations_are_those_of_whole_documents(&store).await;
}

#[tokio::test]
async fn a_run_counts_where_all_its_times_are_known() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    let url = format!("sqlite://{}/t.db", folder.path().display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(RUNS).execute(&mut connection).await.unwrap();

    runs_are_those_whose_times_are_known(&store).await;
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(&folder).await.migrate().await.unwrap();

    assert_eq!(open(&folder).await.migrate().await.unwrap(), first);
}

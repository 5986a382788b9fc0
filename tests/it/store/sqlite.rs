//! The SQLite store: the suite, and what is of its own.

use tidings::{clock::Clock, documents::SqliteStore};

use super::suite::run_all;

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
async fn migrating_again_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(&folder).await.migrate().await.unwrap();

    assert_eq!(open(&folder).await.migrate().await.unwrap(), first);
}

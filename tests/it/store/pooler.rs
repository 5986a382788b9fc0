//! Behind a pooler in transaction mode: no statement may count on the session of another one.

use tidings::{
    clock::Clock,
    documents::{DatabaseUrl, migrate, open},
};

use super::suite::run_all;
use crate::support::{
    Database, PgBouncer, Server, Viewer,
    documents::{confirm, put},
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
    let url: DatabaseUrl = pooler.url(&database).parse().unwrap();

    let migrated = futures::future::join_all((0..6).map(|_| migrate(&url))).await;

    for applied in migrated {
        assert_eq!(applied.unwrap(), 2);
    }
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
    let settings = [("DATABASE_URL", &*url), ("DATABASE_DIRECT_URL", &database.url), ("STORAGE_URL", &files)];
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

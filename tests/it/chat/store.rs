//! Each database passes the suite.

use tidings::{
    chat::open,
    clock::Clock,
    documents::{DatabaseUrl, migrate},
};

use super::suite::run_all;
use crate::support::{Database, PgBouncer};

#[tokio::test]
async fn sqlite_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();

    keeps_the_contract(&format!("sqlite://{}/t.db", folder.path().display())).await;
}

#[tokio::test]
async fn postgres_keeps_the_contract() {
    keeps_the_contract(&Database::new().await.url).await;
}

#[tokio::test]
async fn postgres_behind_a_pooler_keeps_the_contract() {
    let database = Database::new().await;
    let pooler = PgBouncer::before(&database).await;

    keeps_the_contract(&pooler.url(&database)).await;
}

async fn keeps_the_contract(url: &str) {
    let url: DatabaseUrl = url.parse().unwrap();
    migrate(&url).await.unwrap();

    run_all(&*open(&url, Clock::System).await.unwrap()).await;
}

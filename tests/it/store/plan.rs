//! How Postgres goes about what the store itself sends.

use std::sync::Arc;

use tidings::{
    clock::Clock,
    documents::{DatabaseUrl, DocumentStore, StatusQuery, migrate, open},
    event::Id,
};

use crate::support::Database;

/// 5,000 patients with 20 documents each, of a case for each patient, one in a hundred under way.
const DOCUMENTS: &str = "
INSERT INTO documents (document_id, patient_id, filename, content_type, size, case_id, status, rank, attempt,
                       created_at, updated_at)
SELECT 'd' || n, 'p' || n % 5000, 'a.pdf', 'application/pdf', 1, 'c' || n % 5000,
       CASE WHEN n % 100 = 0 THEN 'analyzing' ELSE 'complete' END,
       CASE WHEN n % 100 = 0 THEN 3 ELSE 10 END, 1, n, n
FROM generate_series(1, 100000) AS n;
ANALYZE documents";

/// A database whose server writes down the plan of whatever the store really sends, with what it binds.
async fn explained() -> (Database, Arc<dyn DocumentStore>) {
    let database = Database::new().await;
    let url: DatabaseUrl = database.url.parse().unwrap();
    migrate(&url).await.unwrap();
    database.run(DOCUMENTS).await;
    database.explain_all().await;
    let store = open(&url, Clock::System).await.unwrap();
    (database, store)
}

/// The plans of statements that hold `part`, `count` of them; none scans a table.
fn plans(database: &Database, part: &str, count: usize) -> Vec<String> {
    let log = database.log();
    let plans: Vec<_> = log.split("plan:\n").filter(|plan| plan.contains(part)).map(str::to_owned).collect();
    assert_eq!(plans.len(), count, "{log}");
    for plan in &plans {
        assert!(!plan.contains("Seq Scan"), "{plan}");
    }
    plans
}

fn ids(letter: char, numbers: impl Iterator<Item = u32>) -> Vec<Id> {
    numbers.map(|n| Id::parse(&format!("{letter}{n}")).unwrap()).collect()
}

#[tokio::test]
async fn the_status_query_never_scans_100_000_documents() {
    let (database, store) = explained().await;

    for (patients, named) in [(1, 0), (1, 20), (200, 20)] {
        let query = StatusQuery {
            patients: ids('p', 0..patients),
            named: ids('d', (0..named).map(|n| n * 5_000 + 100)),
            active_since: 50_000,
        };
        assert_eq!(store.statuses(&query).await.unwrap().len(), patients as usize * 20);
    }

    for plan in plans(&database, "AS patient (id)", 3) {
        assert!(plan.contains("documents_by_patient") && plan.contains("documents_under_way"), "{plan}");
    }
}

#[tokio::test]
async fn a_case_is_read_without_a_scan_of_100_000_documents() {
    let (database, store) = explained().await;

    assert_eq!(store.case_documents(&Id::parse("c7").unwrap()).await.unwrap().len(), 20);

    for plan in plans(&database, "WHERE case_id = ", 1) {
        assert!(plan.contains("documents_by_case"), "{plan}");
    }
}

#[tokio::test]
async fn the_dashboard_reads_the_newest_documents_and_scans_no_table() {
    let (database, store) = explained().await;

    for (since, counted) in [(0, 10_000), (99_901, 100)] {
        let health = store.health(since).await.unwrap();
        assert_eq!((health.documents, health.is_whole), (counted, counted == 100));
    }

    for plan in plans(&database, "WITH recent", 2) {
        assert!(plan.contains("documents_by_time"), "{plan}");
    }
}

#[tokio::test]
async fn past_runs_are_read_without_a_scan_of_100_000_documents() {
    let (database, store) = explained().await;

    assert!(store.past_runs(500).await.unwrap().is_empty(), "nobody knows when these came to their stages");

    for plan in plans(&database, "AS ended_at", 1) {
        assert!(plan.contains("documents_complete") && !plan.contains("Sort"), "{plan}");
    }
}

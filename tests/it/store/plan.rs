//! How Postgres goes about the status query, as the store itself sends it.

use tidings::{
    clock::Clock,
    documents::{DatabaseUrl, StatusQuery, migrate, open},
    event::Id,
};

use crate::support::Database;

/// 5,000 patients with 20 documents each, one in a hundred under way.
const DOCUMENTS: &str = "
INSERT INTO documents (document_id, patient_id, filename, content_type, size, status, rank, attempt,
                       created_at, updated_at)
SELECT 'd' || n, 'p' || n % 5000, 'a.pdf', 'application/pdf', 1,
       CASE WHEN n % 100 = 0 THEN 'analyzing' ELSE 'complete' END,
       CASE WHEN n % 100 = 0 THEN 3 ELSE 10 END, 1, n, n
FROM generate_series(1, 100000) AS n;
ANALYZE documents";

fn ids(letter: char, numbers: impl Iterator<Item = u32>) -> Vec<Id> {
    numbers.map(|n| Id::parse(&format!("{letter}{n}")).unwrap()).collect()
}

#[tokio::test]
async fn the_status_query_never_scans_100_000_documents() {
    let database = Database::new().await;
    let url: DatabaseUrl = database.url.parse().unwrap();
    migrate(&url).await.unwrap();
    database.run(DOCUMENTS).await;
    // The server writes down the plan of whatever the store really sends, with what it binds.
    database.run(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET session_preload_libraries = auto_explain', current_database());
                     EXECUTE format('ALTER DATABASE %I SET auto_explain.log_min_duration = 0', current_database());
         END $$",
    )
    .await;
    let store = open(&url, Clock::System).await.unwrap();

    for (patients, named) in [(1, 0), (1, 20), (200, 20)] {
        let query = StatusQuery {
            patients: ids('p', 0..patients),
            named: ids('d', (0..named).map(|n| n * 5_000 + 100)),
            active_since: 50_000,
        };
        assert_eq!(store.statuses(&query).await.unwrap().len(), patients as usize * 20);
    }

    let log = database.log();
    let plans: Vec<_> = log.split("plan:\n").filter(|plan| plan.contains("AS patient (id)")).collect();
    assert_eq!(plans.len(), 3, "{log}");
    for plan in plans {
        assert!(!plan.contains("Seq Scan"), "{plan}");
        assert!(plan.contains("documents_by_patient") && plan.contains("documents_under_way"), "{plan}");
    }
}

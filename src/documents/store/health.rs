//! The one query behind the dashboard, the same for every database.

use std::collections::BTreeMap;

use sqlx::FromRow;

use crate::documents::{
    health::{DocumentHealth, MOST_HEALTH_DOCUMENTS, StageDuration},
    status::DocumentStatus,
};

/// Counts over the newest `$2` documents that moved since `$1`. A later attempt may not have come as far as the
/// one before, whose times then lie the wrong way round.
pub(super) const HEALTH: &str = "
WITH recent AS (
    SELECT status, reason, attempt, created_at, updated_at, reading_at, read_at, analyzing_at, analyzed_at
    FROM documents WHERE updated_at >= $1 ORDER BY updated_at DESC LIMIT $2
), took AS (
    SELECT 'ocr' AS stage, read_at - reading_at AS ms FROM recent WHERE read_at >= reading_at
    UNION ALL
    SELECT 'analysis', analyzed_at - analyzing_at FROM recent WHERE analyzed_at >= analyzing_at
    UNION ALL
    SELECT 'matching', updated_at - analyzed_at FROM recent WHERE status = 'complete' AND updated_at >= analyzed_at
    UNION ALL
    SELECT 'total', updated_at - created_at FROM recent WHERE status = 'complete' AND attempt = 1
), placed AS (
    SELECT stage, ms, row_number() OVER (PARTITION BY stage ORDER BY ms) AS place,
           count(*) OVER (PARTITION BY stage) AS documents
    FROM took
)
SELECT 'status' AS kind, status AS name, count(*) AS documents,
       CAST(NULL AS BIGINT) AS median, CAST(NULL AS BIGINT) AS p90
FROM recent GROUP BY status
UNION ALL
SELECT 'failure', coalesce(reason, 'unknown'), count(*), NULL, NULL
FROM recent WHERE status = 'failed' GROUP BY coalesce(reason, 'unknown')
UNION ALL
SELECT 'stage', stage, max(documents), max(CASE WHEN place = (documents + 1) / 2 THEN ms END),
       max(CASE WHEN place = (9 * documents + 9) / 10 THEN ms END)
FROM placed GROUP BY stage";

/// One count.
#[derive(FromRow)]
pub(super) struct HealthRow {
    kind: String,
    name: String,
    documents: i64,
    median: Option<i64>,
    p90: Option<i64>,
}

impl HealthRow {
    pub(super) fn read_all(rows: Vec<Self>) -> DocumentHealth {
        let by_status = DocumentStatus::ALL.map(|status| (status.as_str().to_owned(), 0));
        let mut health = DocumentHealth { by_status: BTreeMap::from(by_status), ..DocumentHealth::default() };
        for row in rows {
            row.add_to(&mut health);
        }
        health.documents = health.by_status.values().sum();
        health.is_whole = health.documents < u64::from(MOST_HEALTH_DOCUMENTS);
        health
    }

    fn add_to(self, health: &mut DocumentHealth) {
        let documents = unsigned(self.documents);
        match (&*self.kind, self.median, self.p90) {
            ("stage", Some(median), Some(p90)) => {
                let took = StageDuration { documents, median_ms: unsigned(median), p90_ms: unsigned(p90) };
                health.durations.insert(self.name, took);
            }
            ("failure", ..) => drop(health.failures.insert(self.name, documents)),
            _ => drop(health.by_status.insert(self.name, documents)),
        }
    }
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

//! How Postgres goes about the query for messages, as the store itself sends it.

use tidings::{
    chat::{MessageQuery, open},
    clock::Clock,
    documents::{DatabaseUrl, migrate},
    event::Id,
};

use crate::support::Database;

/// 1,000 cases with 100 messages each.
const MESSAGES: &str = "
INSERT INTO conversations SELECT 'c' || n, 100, 1 FROM generate_series(0, 999) AS n;
INSERT INTO messages SELECT 'c' || n % 1000, 1 + n / 1000, 'm' || n, 'words', 'patient', '{}', n
FROM generate_series(0, 99999) AS n;
ANALYZE conversations, messages";

fn cases(numbers: std::ops::Range<u32>) -> impl Iterator<Item = Id> {
    numbers.map(|n| Id::parse(&format!("c{n}")).unwrap())
}

#[tokio::test]
async fn the_query_for_new_messages_never_scans_100_000() {
    let database = Database::new().await;
    let url: DatabaseUrl = database.url.parse().unwrap();
    migrate(&url).await.unwrap();
    database.run(MESSAGES).await;
    database.explain_all().await;
    let store = open(&url, Clock::System).await.unwrap();

    for watched in [1, 200] {
        let query = MessageQuery {
            newer: cases(0..watched).map(|case| (case, 97)).collect(),
            newest: cases(500..501).collect(),
        };
        assert_eq!(store.read(&query).await.unwrap().len(), watched as usize * 3 + 50);
    }

    let log = database.log();
    let plans: Vec<_> = log.split("plan:\n").filter(|plan| plan.contains("AS known (case_id")).collect();
    assert_eq!(plans.len(), 2, "{log}");
    for plan in plans {
        assert!(!plan.contains("Seq Scan") && plan.contains("messages_pkey"), "{plan}");
    }
}

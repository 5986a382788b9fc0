//! Messages in the SQLite file of the documents.

use async_trait::async_trait;
use serde_json::json;
use sqlx::SqlitePool;

use super::{
    ChatStore, MOST_NEWER, MessageQuery, NEWEST_MESSAGES, NewMessage, StoredMessage, rows::MessageRow,
};
use crate::{
    clock::Clock,
    documents::{StoreError, signed},
    event::Id,
};

/// Both lists are JSON arrays, the first of pairs.
const READ: &str = "
WITH newer AS (
    SELECT m.*, row_number() OVER (PARTITION BY m.case_id ORDER BY m.sequence) AS place
    FROM json_each($1) known
    JOIN messages m ON m.case_id = known.value ->> 0 AND m.sequence > known.value ->> 1
), newest AS (
    SELECT m.*, row_number() OVER (PARTITION BY m.case_id ORDER BY m.sequence DESC) AS place
    FROM json_each($3) fresh JOIN messages m ON m.case_id = fresh.value
)
SELECT case_id, sequence, message_id, content, role, sender, created_at FROM newer WHERE place <= $2
UNION ALL
SELECT case_id, sequence, message_id, content, role, sender, created_at FROM newest WHERE place <= $4
ORDER BY case_id, sequence";

/// Keeps messages in a SQLite database.
pub(super) struct SqliteChat {
    pool: SqlitePool,
    clock: Clock,
}

impl SqliteChat {
    pub(super) const fn new(pool: SqlitePool, clock: Clock) -> Self {
        Self { pool, clock }
    }

    async fn insert(&self, case: &Id, message: &NewMessage) -> Result<bool, StoreError> {
        let now = signed(self.clock.milliseconds());
        // A reader that turns into a writer fails at once if another one was faster.
        let mut writing = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "INSERT INTO conversations (case_id, last_sequence, created_at)
             SELECT $1, 1, $3 WHERE NOT EXISTS (SELECT 1 FROM messages WHERE case_id = $1 AND message_id = $2)
             ON CONFLICT (case_id) DO UPDATE SET last_sequence = last_sequence + 1",
        )
        .bind(case.as_str())
        .bind(message.id.as_str())
        .bind(now)
        .execute(&mut *writing)
        .await?;
        let done = sqlx::query(
            "INSERT INTO messages (case_id, sequence, message_id, content, role, sender, created_at)
             SELECT $1, last_sequence, $2, $3, $4, $5, $6 FROM conversations WHERE case_id = $1
             ON CONFLICT (case_id, message_id) DO NOTHING",
        )
        .bind(case.as_str())
        .bind(message.id.as_str())
        .bind(&message.content)
        .bind(&message.role)
        .bind(serde_json::Value::Object(message.sender.clone()).to_string())
        .bind(now)
        .execute(&mut *writing)
        .await?;
        writing.commit().await?;
        Ok(done.rows_affected() == 1)
    }
}

#[async_trait]
impl ChatStore for SqliteChat {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    async fn add(&self, case: &Id, message: &NewMessage) -> Result<(StoredMessage, bool), StoreError> {
        let is_new = self.insert(case, message).await?;
        let kept = sqlx::query_as::<_, MessageRow>(
            "SELECT case_id, sequence, message_id, content, role, sender, created_at
             FROM messages WHERE case_id = $1 AND message_id = $2",
        )
        .bind(case.as_str())
        .bind(message.id.as_str())
        .fetch_one(&self.pool)
        .await?;
        Ok((kept.read()?, is_new))
    }

    async fn read(&self, query: &MessageQuery) -> Result<Vec<StoredMessage>, StoreError> {
        let newer: Vec<_> =
            query.newer.iter().map(|(case, sequence)| json!([case, signed(*sequence)])).collect();
        let rows = sqlx::query_as::<_, MessageRow>(READ)
            .bind(json!(newer).to_string())
            .bind(i64::from(MOST_NEWER))
            .bind(json!(query.newest).to_string())
            .bind(i64::from(NEWEST_MESSAGES))
            .fetch_all(&self.pool)
            .await?;
        MessageRow::read_all(rows)
    }
}

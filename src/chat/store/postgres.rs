//! Messages in Postgres, also behind a pooler in transaction mode.

use async_trait::async_trait;

use super::{
    ChatStore, MOST_NEWER, MessageQuery, NEWEST_MESSAGES, NewMessage, StoredMessage, rows::MessageRow,
};
use crate::{
    clock::Clock,
    documents::{Sessions, StoreError, signed},
    event::Id,
};

/// One statement, as it has to be one transaction. Whoever comes second with the same id waits for the
/// conversation, and then finds the message there.
const ADD: &str = "
WITH conversation AS (
    INSERT INTO conversations (case_id, last_sequence, created_at)
    SELECT $1, 1, $6 WHERE NOT EXISTS (SELECT FROM messages WHERE case_id = $1 AND message_id = $2)
    ON CONFLICT (case_id) DO UPDATE SET last_sequence = conversations.last_sequence + 1
    RETURNING last_sequence
)
INSERT INTO messages (case_id, sequence, message_id, content, role, sender, created_at)
SELECT $1, last_sequence, $2, $3, $4, $5::json, $6 FROM conversation
ON CONFLICT (case_id, message_id) DO NOTHING";

const READ: &str = "
SELECT newer.* FROM unnest($1, $2) AS known (case_id, sequence) CROSS JOIN LATERAL (
    SELECT case_id, sequence, message_id, content, role, sender::text AS sender, created_at FROM messages
    WHERE case_id = known.case_id AND sequence > known.sequence ORDER BY sequence LIMIT $3
) AS newer
UNION ALL
SELECT newest.* FROM unnest($4) AS fresh (case_id) CROSS JOIN LATERAL (
    SELECT case_id, sequence, message_id, content, role, sender::text AS sender, created_at FROM messages
    WHERE case_id = fresh.case_id ORDER BY sequence DESC LIMIT $5
) AS newest
ORDER BY case_id, sequence";

/// Keeps messages in a Postgres database.
pub(super) struct PostgresChat {
    sessions: Sessions,
    clock: Clock,
}

impl PostgresChat {
    pub(super) const fn new(sessions: Sessions, clock: Clock) -> Self {
        Self { sessions, clock }
    }
}

#[async_trait]
impl ChatStore for PostgresChat {
    fn name(&self) -> &'static str {
        "postgres"
    }

    async fn add(&self, case: &Id, message: &NewMessage) -> Result<(StoredMessage, bool), StoreError> {
        let insert = sqlx::query(ADD)
            .bind(case.as_str())
            .bind(message.id.as_str())
            .bind(&message.content)
            .bind(&message.role)
            .bind(serde_json::Value::Object(message.sender.clone()).to_string())
            .bind(signed(self.clock.milliseconds()));
        let is_new = self.sessions.write(insert).await? == 1;
        let kept = sqlx::query_as::<_, MessageRow>(
            "SELECT case_id, sequence, message_id, content, role, sender::text AS sender, created_at
             FROM messages WHERE case_id = $1 AND message_id = $2",
        )
        .bind(case.as_str())
        .bind(message.id.as_str());
        let kept = self.sessions.read(kept).await?.pop().ok_or(StoreError::Unreadable("message"))?;
        Ok((kept.read()?, is_new))
    }

    async fn read(&self, query: &MessageQuery) -> Result<Vec<StoredMessage>, StoreError> {
        let (cases, sequences): (Vec<_>, Vec<_>) =
            query.newer.iter().map(|(case, sequence)| (case.as_str(), signed(*sequence))).unzip();
        let newest: Vec<_> = query.newest.iter().map(Id::as_str).collect();
        let read = sqlx::query_as::<_, MessageRow>(READ)
            .bind(cases)
            .bind(sequences)
            .bind(i64::from(MOST_NEWER))
            .bind(newest)
            .bind(i64::from(NEWEST_MESSAGES));
        MessageRow::read_all(self.sessions.read(read).await?)
    }
}

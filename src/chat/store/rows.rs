//! Rows as both databases give them, before their words and numbers are checked.

use sqlx::FromRow;

use super::StoredMessage;
use crate::{
    clock::to_rfc3339,
    documents::StoreError,
    event::{ChatMessage, Id},
};

/// One message.
#[derive(FromRow)]
pub(super) struct MessageRow {
    case_id: String,
    sequence: i64,
    message_id: String,
    content: String,
    role: String,
    sender: String,
    created_at: i64,
}

impl MessageRow {
    pub(super) fn read(self) -> Result<StoredMessage, StoreError> {
        let created_at = u64::try_from(self.created_at).map_err(|_| StoreError::Unreadable("created_at"))?;
        Ok(StoredMessage {
            case_id: id(&self.case_id, "case_id")?,
            sequence: u64::try_from(self.sequence).map_err(|_| StoreError::Unreadable("sequence"))?,
            message: ChatMessage {
                id: id(&self.message_id, "message_id")?,
                content: self.content,
                role: self.role,
                timestamp: to_rfc3339(created_at),
                sender: serde_json::from_str(&self.sender).map_err(|_| StoreError::Unreadable("sender"))?,
            },
        })
    }

    pub(super) fn read_all(rows: Vec<Self>) -> Result<Vec<StoredMessage>, StoreError> {
        rows.into_iter().map(Self::read).collect()
    }
}

fn id(text: &str, column: &'static str) -> Result<Id, StoreError> {
    Id::parse(text).map_err(|_| StoreError::Unreadable(column))
}

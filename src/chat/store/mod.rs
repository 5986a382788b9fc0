//! Where messages are kept: the contract, and a file per database.

mod elsewhere;
mod forgetful;
mod postgres;
mod rows;
mod sqlite;

use std::sync::Arc;

pub use forgetful::ForgetfulChatStore;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::{elsewhere::Elsewhere, postgres::PostgresChat, sqlite::SqliteChat};
use crate::{
    clock::Clock,
    documents::{Connections, DatabaseUrl, StoreError, open_shared},
    event::{ChatMessage, Id},
};

/// Messages of a case that a snapshot shows.
pub const NEWEST_MESSAGES: u32 = 50;
/// Most messages of one case in one read; whoever gets as many reads again.
pub(super) const MOST_NEWER: u32 = 100;

/// Keeps the messages of cases.
#[async_trait]
pub trait ChatStore: Send + Sync + 'static {
    /// Names the store as viewers and operators read it, for example `sqlite`.
    fn name(&self) -> &'static str;

    /// Keeps a message under its id, once; answers what is kept under it, and whether it is new.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    async fn add(&self, case: &Id, message: &NewMessage) -> Result<(StoredMessage, bool), StoreError>;

    /// Reads the messages asked for, in one query, oldest first within each case.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    async fn read(&self, query: &MessageQuery) -> Result<Vec<StoredMessage>, StoreError>;
}

/// Which messages to read.
#[derive(Clone, Debug, Default)]
pub struct MessageQuery {
    /// Of these cases the ones behind a number.
    pub newer: Vec<(Id, u64)>,
    /// Of these cases the newest 50.
    pub newest: Vec<Id>,
}

/// A message that is to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewMessage {
    /// Names it within its case.
    pub id: Id,
    /// Plain text.
    pub content: String,
    /// The part its sender plays.
    pub role: String,
    /// Who sent it.
    pub sender: Map<String, Value>,
}

impl NewMessage {
    /// Makes a message of plain text, of at most 10,240 bytes, by `role`; nobody is named as its sender.
    #[must_use]
    pub fn new(id: Id, content: &str, role: &str) -> Self {
        Self { id, content: content.to_owned(), role: role.to_owned(), sender: Map::new() }
    }
}

/// A message that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredMessage {
    /// The case it belongs to.
    pub case_id: Id,
    /// Its place in the case: a later message has a higher number.
    pub sequence: u64,
    /// The message.
    pub message: ChatMessage,
}

/// Opens the store in the database that `url` names.
///
/// # Errors
/// [`StoreError`] when the database cannot be used.
pub async fn open(url: &DatabaseUrl, clock: Clock) -> Result<Arc<dyn ChatStore>, StoreError> {
    let (_, connections) = open_shared(url, clock).await?;
    Ok(over(&connections, clock))
}

/// Gives the store over connections that others share.
#[must_use]
pub fn over(connections: &Connections, clock: Clock) -> Arc<dyn ChatStore> {
    match connections {
        Connections::Sqlite(pool) => Arc::new(SqliteChat::new(pool.clone(), clock)),
        Connections::Postgres(sessions) => Arc::new(PostgresChat::new(sessions.clone(), clock)),
        Connections::ReadOnly => Arc::new(Elsewhere),
    }
}

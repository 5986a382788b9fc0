//! Connections to Postgres, lent for one transaction each.
//!
//! Behind a pooler in transaction mode two statements outside of a transaction may meet two different
//! servers, and a prepared statement of one is not known to the other. So each statement runs inside an
//! explicit transaction and is never kept.

use std::time::Duration;

use sqlx::{
    ConnectOptions, Connection, FromRow, PgConnection, PgPool, Postgres,
    pool::PoolConnection,
    postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow},
    query::{Query, QueryAs},
};
use tokio::time::timeout;

use crate::documents::store::StoreError;

/// Connections of one process: it asks one status query at a time and works on few documents.
/// Too many, and a small Neon compute (104 connections) is full with a dozen processes.
const CONNECTIONS: u32 = 8;
/// Longest wait for a free connection: a stream must not wait longer for its status.
const ACQUIRE_WITHIN: Duration = Duration::from_secs(4);
/// Longest wait for an answer, with the connection. Past it the connection is not used again.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);
/// How long a connection may wait for work. Statuses are asked for by turns over all of them: too long, and
/// after a silent network each is found dead one by one, and a small database is kept full.
const IDLE_FOR: Duration = Duration::from_secs(30);
/// Begins what only reads; the server gives up on a statement when whoever asked has.
const BEGIN_READ: &str = "BEGIN READ ONLY; SET LOCAL statement_timeout = '4s'";
/// Begins what writes.
const BEGIN_WRITE: &str = "BEGIN; SET LOCAL statement_timeout = '4s'";

/// Lends connections. Clones share them.
#[derive(Clone)]
pub(crate) struct Sessions {
    pool: PgPool,
}

/// A connection inside a transaction. One that is dropped before its end is closed, not given back:
/// half an answer may still be on its way.
struct Session {
    connection: PoolConnection<Postgres>,
    has_ended: bool,
}

impl Sessions {
    /// Connects once, so that the first error tells its cause, and more as they are needed.
    pub(super) async fn open(options: &PgConnectOptions) -> Result<Self, StoreError> {
        let _ = connect(options).await?.close().await;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE_WITHIN)
            .idle_timeout(IDLE_FOR)
            .connect_lazy_with(options.clone());
        Ok(Self { pool })
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }

    /// Reads all rows of one statement.
    pub(crate) async fn read<T>(
        &self,
        query: QueryAs<'_, Postgres, T, PgArguments>,
    ) -> Result<Vec<T>, StoreError>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        self.rows(BEGIN_READ, query).await
    }

    /// Reads all rows of one statement that also writes.
    pub(super) async fn write_and_read<T>(
        &self,
        query: QueryAs<'_, Postgres, T, PgArguments>,
    ) -> Result<Vec<T>, StoreError>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        self.rows(BEGIN_WRITE, query).await
    }

    async fn rows<T>(
        &self,
        begin: &'static str,
        query: QueryAs<'_, Postgres, T, PgArguments>,
    ) -> Result<Vec<T>, StoreError>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        answered(async {
            let mut session = self.begin(begin).await?;
            let rows = query.persistent(false).fetch_all(session.connection()).await;
            session.end(rows).await
        })
        .await
    }

    /// Runs one statement that writes; says how many rows it touched.
    pub(crate) async fn write(&self, query: Query<'_, Postgres, PgArguments>) -> Result<u64, StoreError> {
        answered(async {
            let mut session = self.begin(BEGIN_WRITE).await?;
            let done = query.persistent(false).execute(session.connection()).await;
            session.end(done.map(|done| done.rows_affected())).await
        })
        .await
    }

    async fn begin(&self, statement: &'static str) -> sqlx::Result<Session> {
        let mut session = Session { connection: self.pool.acquire().await?, has_ended: false };
        sqlx::raw_sql(statement).execute(session.connection()).await?;
        Ok(session)
    }
}

impl Session {
    fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    async fn end<T>(mut self, result: sqlx::Result<T>) -> sqlx::Result<T> {
        let statement = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = sqlx::raw_sql(statement).execute(self.connection()).await;
        self.has_ended = ended.is_ok();
        result.and_then(|value| ended.map(|_| value))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.has_ended {
            self.connection.close_on_drop();
        }
    }
}

/// Opens one connection outside of any pool.
pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, StoreError> {
    answered(options.connect()).await
}

async fn answered<T>(asked: impl Future<Output = sqlx::Result<T>>) -> Result<T, StoreError> {
    Ok(timeout(ANSWER_WITHIN, asked).await.map_err(|_| StoreError::Timeout)??)
}

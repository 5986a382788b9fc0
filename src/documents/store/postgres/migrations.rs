//! Brings the tables up to date, also through a pooler.
//!
//! sqlx's own migrator holds a lock of the session and keeps prepared statements; behind a pooler in
//! transaction mode the lock strands on a server that others are given. Here all of it is one transaction.
//! The table is the one sqlx keeps, so its tools go on working.

use std::collections::HashMap;

use sqlx::{
    PgConnection,
    migrate::{MigrateError, Migration, Migrator},
};

/// Known by nobody else in the database; any number does.
const LOCK: i64 = 0x7469_6469_6e67_7301;

const TABLE: &str = "
CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMPTZ NOT NULL DEFAULT now(),
    success BOOLEAN NOT NULL,
    checksum BYTEA NOT NULL,
    execution_time BIGINT NOT NULL
)";

/// Applies what is missing, after whoever does it already; says how many migrations are applied.
pub(super) async fn migrate(connection: &mut PgConnection) -> Result<usize, MigrateError> {
    let migrations = sqlx::migrate!("migrations/postgres");
    run(connection, "BEGIN").await?;
    // Whoever waited here for another process sees what that one did: each statement looks anew.
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(LOCK)
        .persistent(false)
        .execute(&mut *connection)
        .await?;
    run(connection, TABLE).await?;
    let applied = applied(connection).await?;
    check(&migrations, &applied)?;
    for migration in migrations.iter().filter(|migration| !applied.contains_key(&migration.version)) {
        apply(connection, migration).await?;
    }
    run(connection, "COMMIT").await?;
    Ok(migrations.iter().count())
}

async fn run(connection: &mut PgConnection, statement: &'static str) -> sqlx::Result<()> {
    sqlx::raw_sql(statement).execute(connection).await.map(drop)
}

async fn applied(connection: &mut PgConnection) -> sqlx::Result<HashMap<i64, Vec<u8>>> {
    let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations")
        .persistent(false)
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().collect())
}

/// Refuses a database that is newer than this version, or was made by another one.
fn check(migrations: &Migrator, applied: &HashMap<i64, Vec<u8>>) -> Result<(), MigrateError> {
    for (version, checksum) in applied {
        let known = migrations.iter().find(|known| known.version == *version);
        let known = known.ok_or(MigrateError::VersionMissing(*version))?;
        if *known.checksum != **checksum {
            return Err(MigrateError::VersionMismatch(*version));
        }
    }
    Ok(())
}

async fn apply(connection: &mut PgConnection, migration: &Migration) -> Result<(), MigrateError> {
    let applied = sqlx::raw_sql(migration.sql.clone()).execute(&mut *connection).await;
    applied.map_err(|error| MigrateError::ExecuteMigration(error, migration.version))?;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES ($1, $2, TRUE, $3, -1)",
    )
    .bind(migration.version)
    .bind(&*migration.description)
    .bind(&*migration.checksum)
    .persistent(false)
    .execute(connection)
    .await?;
    Ok(())
}

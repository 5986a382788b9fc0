//! Looks at a statement of the operator's before it is used: what it takes and what it returns.
//!
//! All of it runs inside of transactions that only read, with the statement as a subquery: what writes, or is
//! more than one statement, is refused by Postgres itself.

use sqlx::{AssertSqlSafe, Postgres, postgres::PgArguments, query::QueryAs};

use super::StatusSqlError;
use crate::documents::store::{StoreError, postgres::sessions::Sessions};

const NEEDED: [&str; 4] = ["document_id", "patient_id", "status", "updated_at"];
const OPTIONAL: [&str; 3] = ["filename", "reason", "attempt"];
/// Classes of errors that are the statement's fault, and not that of the server.
/// Source: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
const OF_STATEMENT: [&str; 7] = ["0A", "08P", "21", "22", "25", "42", "57014"];

/// Their statement and the types of what it returns.
pub(super) struct Theirs {
    sql: String,
    columns: Vec<Column>,
}

#[derive(sqlx::FromRow)]
struct Column {
    name: String,
    /// As `pg_type` names it; of a domain what it is made of.
    type_name: String,
    /// As `pg_type` has it: `S` for strings, `E` for enums, `N` for numbers.
    category: String,
}

/// Reads what the statement takes and returns.
pub(super) async fn look_at(sessions: &Sessions, statement: &str) -> Result<Theirs, StatusSqlError> {
    let sql = statement.trim_end_matches(|c: char| c == ';' || c.is_whitespace()).to_owned();
    let names = names(sessions, &sql).await?;
    if let Some(missing) = NEEDED.into_iter().find(|needed| !names.iter().any(|name| name == needed)) {
        return Err(StatusSqlError::Statement(format!("returns no column {missing}")));
    }
    require_parameter(sessions, &sql).await?;
    let known: Vec<_> =
        NEEDED.into_iter().chain(OPTIONAL).filter(|known| names.iter().any(|name| name == known)).collect();
    let columns = types(sessions, &sql, &known).await?;
    columns.iter().try_for_each(Column::check)?;
    Ok(Theirs { sql, columns })
}

/// Tells the statement's faults from those of the server.
pub(super) fn explain(error: StoreError) -> StatusSqlError {
    let StoreError::Database(sqlx::Error::Database(refused)) = &error else { return error.into() };
    let code = refused.code().unwrap_or_default();
    if !OF_STATEMENT.iter().any(|class| code.starts_with(class)) {
        return error.into();
    }
    let words = refused.message().split_whitespace().collect::<Vec<_>>().join(" ");
    StatusSqlError::Statement(format!("cannot be used ({words})"))
}

/// One row of NULLs with the columns of the statement, which does not run for it.
fn shape(sql: &str) -> String {
    format!("(SELECT theirs.* FROM (SELECT 1) AS one LEFT JOIN (\n{sql}\n) AS theirs ON false) AS shape")
}

fn without_patients<T>(sql: String) -> QueryAs<'static, Postgres, T, PgArguments>
where
    T: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>,
{
    sqlx::query_as(AssertSqlSafe(sql)).bind(Vec::<String>::new())
}

async fn names(sessions: &Sessions, sql: &str) -> Result<Vec<String>, StatusSqlError> {
    let names = format!("SELECT json_object_keys(row_to_json(shape)) FROM {}", shape(sql));
    let names: Vec<(String,)> = sessions.read(without_patients(names)).await.map_err(explain)?;
    Ok(names.into_iter().map(|(name,)| name).collect())
}

/// Sends the statement without its parameter: one that runs all the same would read every patient's rows.
async fn require_parameter(sessions: &Sessions, sql: &str) -> Result<(), StatusSqlError> {
    let statement = format!("SELECT 1 FROM {}", shape(sql));
    let bare = sqlx::query_as::<_, (i32,)>(AssertSqlSafe(statement));
    match sessions.read(bare).await {
        Ok(_) => {
            Err(StatusSqlError::Statement("does not use $1 (in .env only single quotes keep it)".into()))
        }
        Err(StoreError::Database(sqlx::Error::Database(_))) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn types(sessions: &Sessions, sql: &str, known: &[&str]) -> Result<Vec<Column>, StatusSqlError> {
    let columns: Vec<_> =
        known.iter().map(|name| format!("('{name}', pg_typeof(shape.{name})::oid)")).collect();
    let types = format!(
        "SELECT columns.name, base.typname::text AS type_name, base.typcategory::text AS category
         FROM {} CROSS JOIN LATERAL (VALUES {}) AS columns (name, type)
         JOIN pg_type AS named ON named.oid = columns.type
         JOIN pg_type AS base ON base.oid = CASE named.typtype WHEN 'd' THEN named.typbasetype ELSE named.oid END",
        shape(sql),
        columns.join(", ")
    );
    sessions.read(without_patients(types)).await.map_err(explain)
}

impl Column {
    fn check(&self) -> Result<(), StatusSqlError> {
        let is_word = matches!(&*self.category, "S" | "E");
        let is_whole = matches!(&*self.type_name, "int2" | "int4" | "int8");
        let (is_right, allowed) = match &*self.name {
            "document_id" | "patient_id" => {
                (is_word || is_whole || self.type_name == "uuid", "text, varchar, uuid or a whole number")
            }
            "updated_at" => (
                matches!(&*self.type_name, "timestamptz" | "timestamp" | "int8"),
                "timestamptz, timestamp or bigint",
            ),
            "attempt" => (is_whole, "a whole number"),
            _ => (is_word, "text or an enum"),
        };
        let Self { name, type_name, .. } = self;
        let wrong = || StatusSqlError::Statement(format!("returns {name} as {type_name}, not as {allowed}"));
        is_right.then_some(()).ok_or_else(wrong)
    }
}

impl Theirs {
    /// Says whether their patient ids are uuids.
    pub(super) fn has_uuids(&self) -> bool {
        self.type_of("patient_id") == Some("uuid")
    }

    /// Writes the statement that is sent: theirs, cast to our types and cut to what a stream shows.
    pub(super) fn statement(&self) -> String {
        format!(
            "SELECT document_id, patient_id, filename, status, reason, attempt, updated_at FROM (
                SELECT cast_rows.*, row_number() OVER (PARTITION BY patient_id ORDER BY updated_at DESC NULLS LAST) AS place
                FROM (
                    SELECT theirs.document_id::text AS document_id, theirs.patient_id::text AS patient_id,
                           {filename} AS filename, theirs.status::text AS status, {reason} AS reason,
                           {attempt} AS attempt, {updated_at} AS updated_at
                    FROM (\n{sql}\n) AS theirs
                ) AS cast_rows
             ) AS placed
             WHERE place <= $3 OR document_id = ANY($2) OR (status <> ALL($4) AND updated_at >= $5)
             ORDER BY updated_at DESC NULLS LAST",
            filename = self.cast("filename", "text"),
            reason = self.cast("reason", "text"),
            attempt = self.cast("attempt", "bigint"),
            updated_at = self.updated_at(),
            sql = self.sql,
        )
    }

    fn type_of(&self, name: &str) -> Option<&str> {
        self.columns.iter().find(|column| column.name == name).map(|column| &*column.type_name)
    }

    fn cast(&self, name: &str, to: &str) -> String {
        match self.type_of(name) {
            Some(_) => format!("theirs.{name}::{to}"),
            None => format!("NULL::{to}"),
        }
    }

    /// A time without a zone is taken for UTC; `infinity` has no milliseconds.
    fn updated_at(&self) -> &'static str {
        match self.type_of("updated_at") {
            Some("int8") => "theirs.updated_at::bigint",
            _ => {
                "CASE WHEN isfinite(theirs.updated_at) \
                 THEN floor(extract(epoch FROM theirs.updated_at) * 1000)::bigint END"
            }
        }
    }
}

//! Statuses from tables that are not ours.

use std::collections::HashMap;

use super::variables::{ConfigError, Variables, wrong};
use crate::documents::{DatabaseUrl, DocumentStatus, StatusSqlSettings};

/// Reads `STATUS_SQL` and `STATUS_MAP`; whether the statement does is seen at the start.
pub(super) fn status_sql(
    variables: &Variables,
    database_url: &DatabaseUrl,
) -> Result<Option<StatusSqlSettings>, ConfigError> {
    let (statement, words) = (variables.text("STATUS_SQL"), variables.text("STATUS_MAP"));
    match (statement, words, database_url) {
        (None, None, _) => Ok(None),
        (None, Some(words), _) => Err(wrong(
            "STATUS_MAP",
            words,
            "left out where STATUS_SQL is not set: it says what its words mean",
        )),
        (Some(_), _, DatabaseUrl::Sqlite(_)) => Err(wrong(
            "STATUS_SQL",
            "a statement for Postgres",
            "left out where DATABASE_URL is not a URL that starts with postgres://",
        )),
        (Some(statement), words, DatabaseUrl::Postgres(_)) => {
            let words = words.map(read_words).transpose()?.unwrap_or_default();
            Ok(Some(StatusSqlSettings { statement: statement.to_owned(), words }))
        }
    }
}

fn read_words(text: &str) -> Result<HashMap<String, DocumentStatus>, ConfigError> {
    let mut words = HashMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (theirs, ours) =
            pair.rsplit_once('=').map_or((pair, ""), |(theirs, ours)| (theirs.trim(), ours.trim()));
        let status = ours.parse().map_err(|unknown| {
            wrong("STATUS_MAP", pair, &format!("pairs theirs=ours, parted by commas, where {unknown}"))
        })?;
        if theirs.is_empty() || words.insert(theirs.to_owned(), status).is_some() {
            return Err(wrong(
                "STATUS_MAP",
                pair,
                "pairs theirs=ours, parted by commas, each of theirs once",
            ));
        }
    }
    Ok(words)
}

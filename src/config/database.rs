//! Which database is used.

use super::variables::{ConfigError, Variables, wrong};
use crate::documents::{DatabaseUrl, DatabaseUrlError};

/// Used where no database is named: a file beside the program.
const DEFAULT: &str = "sqlite://data/tidings.db";
const ALLOWED: &str = "a URL that starts with sqlite:// or postgres://";

pub(super) fn database_url(variables: &Variables) -> Result<DatabaseUrl, ConfigError> {
    parse("DATABASE_URL", variables.text("DATABASE_URL").unwrap_or(DEFAULT))
}

pub(super) fn database_direct_url(
    variables: &Variables,
    database_url: &DatabaseUrl,
) -> Result<Option<DatabaseUrl>, ConfigError> {
    const NAME: &str = "DATABASE_DIRECT_URL";
    let direct = variables.text(NAME).map(|text| parse(NAME, text)).transpose()?;
    match direct {
        Some(direct) if !direct.is_like(database_url) => {
            Err(wrong(NAME, &direct.to_string(), "another way to the database that DATABASE_URL names"))
        }
        direct => Ok(direct),
    }
}

/// A refused URL is not shown: it may hold a password.
fn parse(name: &'static str, text: &str) -> Result<DatabaseUrl, ConfigError> {
    text.parse().map_err(|error| match error {
        DatabaseUrlError::Scheme(scheme) => wrong(name, &scheme, ALLOWED),
        DatabaseUrlError::Malformed => wrong(
            name,
            "no such URL",
            "postgres://user:password@host:port/database, with % codes for what is not a letter or digit",
        ),
    })
}

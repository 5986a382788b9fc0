//! Which database a URL names. It may hold a password, so it is never shown whole.

use std::{fmt, str::FromStr};

use sqlx::postgres::PgConnectOptions;
use url::Url;

/// What a URL of Neon or of another client may hold and sqlx does not know; it would warn of each.
const FOR_OTHERS: [&str; 3] = ["channel_binding", "connect_timeout", "pgbouncer"];

/// Names a database; parsed from its URL, shown without its password.
#[derive(Clone)]
#[non_exhaustive]
pub enum DatabaseUrl {
    /// A file, as `sqlite://path`.
    Sqlite(String),
    /// A server, from `postgres://` or `postgresql://`.
    Postgres(Box<PgConnectOptions>),
}

/// Tells why a text does not name a database; holds nothing of it but its scheme.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// It is for another kind of database.
    #[error("the scheme {0:?} is not known")]
    Scheme(String),
    /// It begins well and cannot be read.
    #[error("no such URL")]
    Malformed,
}

impl DatabaseUrl {
    /// Says whether both name a database of the same kind.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, DatabaseUrlError> {
        match text.split_once("://").map(|(scheme, _)| scheme) {
            Some("sqlite") => Ok(Self::Sqlite(text.to_owned())),
            Some("postgres" | "postgresql") => {
                let options = postgres_options(text).ok_or(DatabaseUrlError::Malformed)?;
                Ok(Self::Postgres(Box::new(options)))
            }
            scheme => Err(DatabaseUrlError::Scheme(scheme.unwrap_or("without a scheme").to_owned())),
        }
    }
}

fn postgres_options(text: &str) -> Option<PgConnectOptions> {
    let mut url = Url::parse(text).ok()?;
    let pairs: Vec<_> =
        url.query_pairs().filter(|(key, _)| !FOR_OTHERS.contains(&&**key)).map(into_owned).collect();
    url.set_query(None);
    if !pairs.is_empty() {
        url.query_pairs_mut().extend_pairs(pairs);
    }
    let options = PgConnectOptions::from_str(url.as_str()).ok()?;
    let has_name = options.get_application_name().is_some();
    let options = if has_name { options } else { options.application_name("tidings") };
    // A pooler refuses parameters of the start that it does not know; no float is ever read here.
    Some(options.extra_float_digits(None))
}

fn into_owned((key, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)) -> (String, String) {
    (key.into_owned(), value.into_owned())
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(url) => f.write_str(url),
            Self::Postgres(options) => {
                let database = options.get_database().unwrap_or_else(|| options.get_username());
                write!(f, "postgres at {}:{}, database {database}", options.get_host(), options.get_port())
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::PgSslMode;

    use super::*;

    #[test]
    fn a_url_as_neon_gives_it_is_read() {
        let url = "postgresql://app:hunter2@ep-a-b-123-pooler.eu.aws.neon.tech/neondb?sslmode=require&channel_binding=require";

        let read: DatabaseUrl = url.parse().unwrap();

        let DatabaseUrl::Postgres(options) = &read else { panic!("{read}") };
        assert_eq!(options.get_host(), "ep-a-b-123-pooler.eu.aws.neon.tech");
        assert!(matches!(options.get_ssl_mode(), PgSslMode::Require));
        assert_eq!((options.get_username(), options.get_database()), ("app", Some("neondb")));
    }

    #[test]
    fn a_password_is_never_shown() {
        let read: DatabaseUrl = "postgres://app:hunter2@db:6543/app".parse().unwrap();

        assert_eq!(read.to_string(), "postgres at db:6543, database app");
        assert!(!format!("{read:?}").contains("hunter2"));
        for bad in ["mysql://app:hunter2@db/app", "postgres://app:hunter2@db:port/app", "hunter2"] {
            let error = bad.parse::<DatabaseUrl>().unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}

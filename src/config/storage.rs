//! Where documents and files are kept.

use std::path::PathBuf;

use url::Url;

use super::{
    database::{database_direct_url, database_url},
    statuses::status_sql,
    variables::{ConfigError, Variables, wrong},
};
use crate::documents::{DatabaseUrl, StatusSqlSettings};

/// Where documents and files are kept.
#[derive(Clone, Debug)]
pub struct StorageConfig {
    /// `DATABASE_URL`: `sqlite://path` or `postgres://…`. Default `sqlite://data/tidings.db`.
    pub database_url: DatabaseUrl,
    /// `DATABASE_DIRECT_URL`: used for migrations in place of `DATABASE_URL`.
    pub database_direct_url: Option<DatabaseUrl>,
    /// `STATUS_SQL` and `STATUS_MAP`: statuses from tables that are not ours.
    pub status_sql: Option<StatusSqlSettings>,
    /// `MIGRATE_ON_START`: whether `serve` brings the tables up to date. Default true.
    pub migrate_on_start: bool,
    /// `STORAGE_URL`: `file:///absolute/path`. Default the folder `data/files`.
    pub files: PathBuf,
}

impl StorageConfig {
    pub(super) fn read(variables: &Variables) -> Result<Self, ConfigError> {
        let database_url = database_url(variables)?;
        Ok(Self {
            database_direct_url: database_direct_url(variables, &database_url)?,
            status_sql: status_sql(variables, &database_url)?,
            database_url,
            migrate_on_start: variables.flag("MIGRATE_ON_START", true)?,
            files: files(variables)?,
        })
    }
}

fn files(variables: &Variables) -> Result<PathBuf, ConfigError> {
    let Some(text) = variables.text("STORAGE_URL") else { return Ok("data/files".into()) };
    let path =
        Url::parse(text).ok().filter(|url| url.scheme() == "file").and_then(|url| url.to_file_path().ok());
    path.ok_or_else(|| wrong("STORAGE_URL", text, "a URL of the form file:///absolute/path"))
}

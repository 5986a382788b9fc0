//! Where documents and files are kept.

use std::path::PathBuf;

use url::Url;

use super::{
    bucket::BucketConfig,
    database::{database_direct_url, database_url},
    statuses::status_sql,
    variables::{ConfigError, Variables, wrong},
};
use crate::documents::{DatabaseUrl, StatusSqlSettings};

/// Where documents and files are kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StorageConfig {
    /// `DATABASE_URL`: `sqlite://path` or `postgres://…`. Default `sqlite://data/tidings.db`.
    pub database_url: DatabaseUrl,
    /// `DATABASE_DIRECT_URL`: used for migrations in place of `DATABASE_URL`.
    pub database_direct_url: Option<DatabaseUrl>,
    /// `STATUS_SQL` and `STATUS_MAP`: statuses from tables that are not ours.
    pub status_sql: Option<StatusSqlSettings>,
    /// `MIGRATE_ON_START`: whether `serve` brings the tables up to date. Default true.
    pub migrate_on_start: bool,
    /// `STORAGE_URL`: `file:///absolute/path` or `s3://bucket/prefix`. Default the folder `data/files`.
    pub files: FilesConfig,
}

/// Where uploaded files are kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum FilesConfig {
    /// In a folder of this machine; it is made.
    Folder(PathBuf),
    /// In a bucket: browsers put files straight there.
    Bucket(BucketConfig),
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

/// A refused URL is not shown: it may hold a password.
fn files(variables: &Variables) -> Result<FilesConfig, ConfigError> {
    let Some(text) = variables.text("STORAGE_URL") else {
        return Ok(FilesConfig::Folder("data/files".into()));
    };
    let refused = || {
        let held = text.split_once("://").map_or("without a scheme", |(scheme, _)| scheme);
        wrong("STORAGE_URL", held, "a URL of the form file:///absolute/path or s3://bucket/prefix")
    };
    let url = Url::parse(text).map_err(|_| refused())?;
    match url.scheme() {
        "file" => url.to_file_path().map(FilesConfig::Folder).map_err(|()| refused()),
        "s3" => BucketConfig::read(variables, &url).map(FilesConfig::Bucket),
        _ => Err(refused()),
    }
}

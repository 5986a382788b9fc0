//! Where documents and files are kept.

use std::path::PathBuf;

use url::Url;

use super::{
    bucket::BucketConfig,
    variables::{ConfigError, Variables, wrong},
};

/// Where documents and files are kept.
#[derive(Clone, Debug)]
pub struct StorageConfig {
    /// `DATABASE_URL`: `sqlite://path`. Default `sqlite://data/tidings.db`.
    pub database_url: String,
    /// `DATABASE_DIRECT_URL`: used for migrations in place of `DATABASE_URL`.
    pub database_direct_url: Option<String>,
    /// `MIGRATE_ON_START`: whether `serve` brings the tables up to date. Default true.
    pub migrate_on_start: bool,
    /// `STORAGE_URL`: `file:///absolute/path` or `s3://bucket/prefix`. Default the folder `data/files`.
    pub files: FilesConfig,
}

/// Where uploaded files are kept.
#[derive(Clone, Debug)]
pub enum FilesConfig {
    /// In a folder of this machine; it is made.
    Folder(PathBuf),
    /// In a bucket: browsers put files straight there.
    Bucket(BucketConfig),
}

impl StorageConfig {
    pub(super) fn read(variables: &Variables) -> Result<Self, ConfigError> {
        Ok(Self {
            database_url: database_url(variables, "DATABASE_URL")?
                .unwrap_or_else(|| "sqlite://data/tidings.db".into()),
            database_direct_url: database_url(variables, "DATABASE_DIRECT_URL")?,
            migrate_on_start: variables.flag("MIGRATE_ON_START", true)?,
            files: files(variables)?,
        })
    }
}

/// A refused URL is not shown: it may hold a password.
fn database_url(variables: &Variables, name: &'static str) -> Result<Option<String>, ConfigError> {
    match variables.text(name) {
        None => Ok(None),
        Some(url) if url.starts_with("sqlite://") => Ok(Some(url.to_owned())),
        Some(url) => {
            let scheme = url.split_once("://").map_or("without a scheme", |(scheme, _)| scheme);
            Err(wrong(name, scheme, "a URL that starts with sqlite://"))
        }
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

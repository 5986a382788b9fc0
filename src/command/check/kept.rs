//! Parts that keep something: Redis, the database, the files.

use std::{sync::Arc, time::Instant};

use super::{Fault, chain};
use crate::{
    broker::hears_itself,
    clock::Clock,
    config::{BrokerConfig, Config, FilesConfig, UpstashConfig},
    documents::{self, DatabaseUrl, Files, StatusSql, StatusSqlError},
    upstash::{Command, RedisError, RedisRest},
};

/// A key of nobody's, which is gone after a second: a token that may only read is told from one that may write.
const PROBE: [&str; 5] = ["SET", "tidings:check", "1", "EX", "1"];

pub(super) async fn broker(config: &BrokerConfig) -> Result<String, Fault> {
    let BrokerConfig::Upstash(config) = config else { return Ok("memory: nothing to connect to".into()) };
    let redis = RedisRest::new(config.url.clone(), config.token.clone(), Arc::default());
    let began = Instant::now();
    let [name, arguments @ ..] = PROBE;
    let command = arguments.into_iter().fold(Command::new(name), Command::arg);
    redis.command(&command).await.map_err(broker_fault)?;
    let host = config.url.host_str().unwrap_or_default();
    Ok(format!("upstash at {host}: answers in {} ms", began.elapsed().as_millis()))
}

fn broker_fault(error: RedisError) -> Fault {
    const URL: &str = "UPSTASH_REDIS_REST_URL";
    let (variable, cure) = match error {
        RedisError::Auth => (
            "UPSTASH_REDIS_REST_TOKEN",
            "take the token of this database from its page, not the read-only one",
        ),
        RedisError::Quota => (URL, "raise the plan, or wait until the quota begins anew"),
        RedisError::Transport(_) | RedisError::Timeout => (URL, "is it up, and does this machine reach it?"),
        _ => (URL, "take the REST URL of the database from its page, or start `tidings redis-rest`"),
    };
    Fault::new(variable, chain(error)).cured_by(cure)
}

/// Not every service that speaks Redis over REST knows subscriptions.
pub(super) async fn wake(config: &UpstashConfig) -> Result<String, Fault> {
    let redis = RedisRest::new(config.url.clone(), config.token.clone(), Arc::default());
    hears_itself(&redis).await.map_err(|error| {
        let what = format!("nothing is heard; the channels will be polled: {}", chain(error));
        Fault::new("UPSTASH_WAKE", what).cured_by("set it to off, or take a Redis that lets one subscribe")
    })?;
    Ok("what is published on tidings:wake is heard".into())
}

pub(super) async fn store(config: &Config) -> Result<String, Fault> {
    let url = &config.storage.database_url;
    if let DatabaseUrl::Sqlite(path) = url
        && !std::path::Path::new(path.trim_start_matches("sqlite://")).exists()
    {
        let fault = Fault::new("DATABASE_URL", format!("{url} is not there yet"));
        return Err(fault.cured_by("`tidings migrate` or `tidings serve` makes it"));
    }
    if let Some(settings) = &config.storage.status_sql {
        let source = StatusSql::open(url, settings, Arc::default()).await;
        source.map_err(|error| match error {
            StatusSqlError::Store(error) => unusable("DATABASE_URL", url, error),
            error => Fault::new("STATUS_SQL", chain(error)),
        })?;
        return Ok(format!("{url}: STATUS_SQL runs"));
    }
    let opened = documents::open(url, Clock::System).await;
    let store = opened.map_err(|error| unusable("DATABASE_URL", url, error))?;
    let under_way = store.unfinished().await.map_err(|error| {
        Fault::new("DATABASE_URL", format!("its tables cannot be read: {}", chain(error)))
            .cured_by("`tidings migrate` brings them up to date")
    })?;
    Ok(format!("{url}: {} documents under way", under_way.len()))
}

/// Migrations may go another way than everything else.
pub(super) async fn direct(url: &DatabaseUrl) -> Result<String, Fault> {
    let opened = documents::open(url, Clock::System).await;
    opened.map_err(|error| unusable("DATABASE_DIRECT_URL", url, error))?;
    Ok(format!("{url}: answers"))
}

fn unusable(variable: &'static str, url: &DatabaseUrl, error: impl Into<anyhow::Error>) -> Fault {
    let error = chain(error);
    match url {
        DatabaseUrl::Sqlite(_) => Fault::new(variable, format!("{url} cannot be opened: {error}"))
            .cured_by("is it a file of this program's own?"),
        DatabaseUrl::Postgres(_) => Fault::new(variable, format!("{url} cannot be used: {error}"))
            .cured_by("is the server up, and are host, user and password right?"),
    }
}

pub(super) async fn files(config: &Config) -> Result<String, Fault> {
    const VARIABLE: &str = "STORAGE_URL";
    let opened = Files::open(&config.storage.files, Arc::default()).await;
    let files = opened.map_err(|error| Fault::new(VARIABLE, chain(error)))?;
    let began = Instant::now();
    files.try_out().await.map_err(|error| match error.cure() {
        Some(cure) => Fault::new(VARIABLE, error.kind()).cured_by(cure),
        None => Fault::new(VARIABLE, error.kind()),
    })?;
    Ok(match &config.storage.files {
        FilesConfig::Folder(folder) => format!("{}: can be written", folder.display()),
        FilesConfig::Bucket(bucket) => {
            let (name, origin) = (&bucket.name, files.upload_origin().unwrap_or_default());
            format!("s3://{name} at {origin}: can be used, in {} ms", began.elapsed().as_millis())
        }
    })
}

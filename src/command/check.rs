//! `tidings check`: does every configured part answer?

use std::{process::ExitCode, sync::Arc, time::Instant};

use anyhow::Context;
use secrecy::ExposeSecret;

use super::check_stream::{self, StreamArguments};
use crate::{
    broker::hears_itself,
    clock::Clock,
    config::{AnalyzerConfig, BrokerConfig, Config, FilesConfig, OcrConfig, UpstashConfig},
    documents::{self, DatabaseUrl, Files, StatusSql, StatusSqlError, analysis::HttpAnalyzer},
    upstash::{Command, QStash, RedisRest, SigningKeys},
};

pub(super) async fn run(config: &Config, arguments: StreamArguments) -> anyhow::Result<ExitCode> {
    if let Some(code) = check_stream::run(arguments).await? {
        return Ok(code);
    }
    let mut parts = vec![
        ("events", "UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN", check_broker(&config.broker).await),
        ("documents", "DATABASE_URL", check_store(config).await),
        ("files", "STORAGE_URL", check_files(config).await),
        ("ocr", "QSTASH_URL, QSTASH_TOKEN, QSTASH_…_SIGNING_KEY", check_queue(config.ocr.as_ref()).await),
        ("analysis", "ANALYZER_URL, ANALYZER_TOKEN", check_analyzer(config.analyzer.as_ref()).await),
    ];
    if let BrokerConfig::Upstash(upstash) = &config.broker
        && upstash.wake
    {
        parts.push(("wake-ups", "UPSTASH_WAKE", check_wake(upstash).await));
    }
    if let Some(url) = &config.storage.database_direct_url {
        parts.push(("migrations", "DATABASE_DIRECT_URL", check_direct(url).await));
    }
    let mut code = ExitCode::SUCCESS;
    for (part, variable, answer) in parts {
        match answer {
            Ok(words) => println!("ok    {part}: {words}"),
            Err(error) => {
                println!("FAIL  {part} ({variable}): {error:#}");
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

/// PING is not billed.
async fn check_broker(config: &BrokerConfig) -> anyhow::Result<String> {
    let BrokerConfig::Upstash(config) = config else { return Ok("memory: nothing to connect to".into()) };
    let redis = RedisRest::new(config.url.clone(), config.token.clone(), Arc::default());
    let began = Instant::now();
    redis.command(&Command::new("PING")).await?;
    let host = config.url.host_str().unwrap_or_default();
    Ok(format!("upstash at {host}: answers in {} ms", began.elapsed().as_millis()))
}

/// Not every service that speaks Redis over REST knows subscriptions.
async fn check_wake(config: &UpstashConfig) -> anyhow::Result<String> {
    let redis = RedisRest::new(config.url.clone(), config.token.clone(), Arc::default());
    hears_itself(&redis).await.context("nothing is heard; the channels will be polled (or set it to off)")?;
    Ok("what is published on tidings:wake is heard".into())
}

async fn check_store(config: &Config) -> anyhow::Result<String> {
    let url = &config.storage.database_url;
    if let DatabaseUrl::Sqlite(path) = url
        && !std::path::Path::new(path.trim_start_matches("sqlite://")).exists()
    {
        anyhow::bail!("{url} is not there yet; `tidings migrate` or `tidings serve` makes it");
    }
    if let Some(settings) = &config.storage.status_sql {
        let source = StatusSql::open(url, settings, Arc::default()).await;
        source.map_err(|error| match error {
            StatusSqlError::Store(error) => anyhow::Error::from(error).context(cure(url)),
            error => error.into(),
        })?;
        return Ok(format!("{url}: STATUS_SQL runs"));
    }
    let store = documents::open(url, Clock::System).await.with_context(|| cure(url))?;
    let under_way = store.unfinished().await.map_err(|error| {
        anyhow::Error::from(error)
            .context("its tables cannot be read; `tidings migrate` brings them up to date")
    })?;
    Ok(format!("{url}: {} documents under way", under_way.len()))
}

/// Migrations may go another way than everything else.
async fn check_direct(url: &DatabaseUrl) -> anyhow::Result<String> {
    documents::open(url, Clock::System).await.with_context(|| cure(url))?;
    Ok(format!("{url}: answers"))
}

/// Says what to look at when nobody answers.
fn cure(url: &DatabaseUrl) -> String {
    match url {
        DatabaseUrl::Sqlite(_) => format!("{url} cannot be opened; is it a file of this program's own?"),
        DatabaseUrl::Postgres(_) => {
            format!("{url} cannot be used; is the server up, and are host, user and password right?")
        }
    }
}

async fn check_files(config: &Config) -> anyhow::Result<String> {
    let files = Files::open(&config.storage.files, Arc::default()).await?;
    let began = Instant::now();
    files.try_out().await.map_err(|error| match error.cure() {
        Some(cure) => anyhow::anyhow!("{}; {cure}", error.kind()),
        None => anyhow::anyhow!(error.kind()),
    })?;
    Ok(match &config.storage.files {
        FilesConfig::Folder(folder) => format!("{}: can be written", folder.display()),
        FilesConfig::Bucket(bucket) => {
            let (name, origin) = (&bucket.name, files.upload_origin().unwrap_or_default());
            format!("s3://{name} at {origin}: can be used, in {} ms", began.elapsed().as_millis())
        }
    })
}

/// Asks the queue for its keys: it takes the token, and deliveries will be signed with ours.
async fn check_queue(config: Option<&OcrConfig>) -> anyhow::Result<String> {
    let Some(config) = config else { return Ok("off: OCR_URL is not set".into()) };
    let keys = QStash::new(config.queue.clone(), config.token.clone()).signing_keys().await?;
    let host = config.queue.host_str().unwrap_or_default();
    if !signs_with_ours(&keys, config) {
        anyhow::bail!("{host} signs with other keys: set both signing keys anew");
    }
    Ok(format!("queue at {host}: takes the token and signs with the keys set here"))
}

/// Right after the keys were rolled, the queue's current one is our next.
fn signs_with_ours(keys: &SigningKeys, config: &OcrConfig) -> bool {
    let current = keys.current.expose_secret();
    [&config.current_key, &config.next_key].iter().any(|own| own.expose_secret() == current)
}

/// Asks about a text that is no patient's.
async fn check_analyzer(config: Option<&AnalyzerConfig>) -> anyhow::Result<String> {
    let Some(config) = config else { return Ok("the rules of this program: nothing to connect to".into()) };
    let analyzer = HttpAnalyzer::new(config.url.clone(), config.token.clone(), config.answer_within);
    let began = Instant::now();
    analyzer.ask("A test of Tidings: this text is no patient's and says nothing.").await?;
    let host = config.url.host_str().unwrap_or_default();
    Ok(format!("{host}: answers in {} ms", began.elapsed().as_millis()))
}

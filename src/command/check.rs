//! `tidings check`: does every configured part answer?

use std::{process::ExitCode, sync::Arc, time::Instant};

use secrecy::ExposeSecret;

use crate::{
    clock::Clock,
    config::{BrokerConfig, Config, OcrConfig},
    documents::{DocumentStore, Files, SqliteStore},
    event::Id,
    upstash::{Command, QStash, RedisRest, SigningKeys},
};

pub(super) async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let parts = [
        ("events", "UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN", check_broker(&config.broker).await),
        ("documents", "DATABASE_URL", check_store(config).await),
        ("files", "STORAGE_URL", check_files(config).await),
        ("ocr", "QSTASH_URL, QSTASH_TOKEN, QSTASH_…_SIGNING_KEY", check_queue(config.ocr.as_ref()).await),
    ];
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

async fn check_store(config: &Config) -> anyhow::Result<String> {
    let url = &config.storage.database_url;
    let path = url.trim_start_matches("sqlite://");
    if !std::path::Path::new(path).exists() {
        anyhow::bail!("{url} is not there yet; `tidings migrate` or `tidings serve` makes it");
    }
    let store = SqliteStore::open(url, Clock::System).await?;
    let under_way = store.unfinished().await.map_err(|error| {
        anyhow::Error::from(error)
            .context("its tables cannot be read; `tidings migrate` brings them up to date")
    })?;
    Ok(format!("{url}: {} documents under way", under_way.len()))
}

async fn check_files(config: &Config) -> anyhow::Result<String> {
    let folder = &config.storage.files;
    let files = Files::in_folder(folder)?;
    let probe = Id::random();
    let bytes = futures::stream::iter([Ok::<_, std::io::Error>("probe".into())]);
    files.put(&probe, bytes, 5, std::future::ready(true)).await?;
    files.remove(&probe).await?;
    Ok(format!("{}: can be written", folder.display()))
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

//! `tidings check`: does every configured part answer?

use std::process::ExitCode;

use crate::{
    clock::Clock,
    config::Config,
    documents::{DocumentStore, Files, SqliteStore},
    event::Id,
};

pub(super) async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let parts = [
        ("events", "REALTIME_TRANSPORT", Ok(format!("{}: nothing to connect to", config.broker.as_str()))),
        ("documents", "DATABASE_URL", check_store(config).await),
        ("files", "STORAGE_URL", check_files(config).await),
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

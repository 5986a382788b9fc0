//! `tidings migrate`.

use std::process::ExitCode;

use crate::{config::Config, migrate};

pub(super) async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    if config.storage.status_sql.is_some() {
        println!("Nothing to do: with STATUS_SQL set, no table of ours is used.");
        return Ok(ExitCode::SUCCESS);
    }
    let applied = migrate(&config.storage).await?;
    println!("The tables are up to date: {applied} migrations are applied.");
    Ok(ExitCode::SUCCESS)
}

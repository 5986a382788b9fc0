//! `tidings migrate`.

use std::process::ExitCode;

use crate::{config::Config, migrate};

pub(super) async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let applied = migrate(&config.storage).await?;
    println!("The tables are up to date: {applied} migrations are applied.");
    Ok(ExitCode::SUCCESS)
}

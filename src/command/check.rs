//! `tidings check`: does every configured part answer?
//!
//! One line each: what is right, or what is wrong with which variable, and what cures it.

mod kept;
mod outside;

use std::{fmt::Display, process::ExitCode};

use super::check_stream::{self, StreamArguments};
use crate::config::{BrokerConfig, Config};

/// What was found out about one part.
enum Found {
    /// It can be used, in these words.
    Good(String),
    /// It may be as it should; nobody can tell from here.
    Unsure(Fault),
    /// It cannot be used.
    Broken(Fault),
}

/// What is wrong, with which variable, and what to do about it.
struct Fault {
    variable: &'static str,
    what: String,
    cure: Option<String>,
}

impl Fault {
    fn new(variable: &'static str, what: impl Display) -> Self {
        Self { variable, what: what.to_string(), cure: None }
    }

    fn cured_by(self, cure: impl Into<String>) -> Self {
        Self { cure: Some(cure.into()), ..self }
    }
}

impl From<Result<String, Fault>> for Found {
    fn from(answer: Result<String, Fault>) -> Self {
        answer.map_or_else(Self::Broken, Self::Good)
    }
}

impl Found {
    /// Prints one line and says whether the part may be used.
    fn print(&self, part: &str) -> bool {
        let line = |Fault { variable, what, cure }: &Fault| {
            let cure = cure.as_deref().map(|cure| format!("; {cure}")).unwrap_or_default();
            format!("{part} ({variable}): {what}{cure}").replace('\n', " ")
        };
        match self {
            Self::Good(words) => println!("ok    {part}: {words}"),
            Self::Unsure(fault) => println!("note  {}", line(fault)),
            Self::Broken(fault) => println!("FAIL  {}", line(fault)),
        }
        !matches!(self, Self::Broken(_))
    }
}

pub(super) async fn run(config: &Config, arguments: StreamArguments) -> anyhow::Result<ExitCode> {
    if let Some(code) = check_stream::run(arguments).await? {
        return Ok(code);
    }
    let mut is_well = true;
    for (part, found) in find_out(config).await {
        is_well &= found.print(part);
    }
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Looks at each part; what is not configured is looked at only where its line says so.
async fn find_out(config: &Config) -> Vec<(&'static str, Found)> {
    let mut parts = vec![
        ("events", kept::broker(&config.broker).await.into()),
        ("documents", kept::store(config).await.into()),
        ("files", kept::files(config).await.into()),
        ("ocr", outside::queue(config.ocr.as_ref()).await.into()),
    ];
    if let Some(ocr) = &config.ocr {
        parts.push(("worker", outside::worker(ocr).await.into()));
        parts.push(("callbacks", outside::callbacks(ocr).await));
    }
    parts.push(("analysis", outside::analyzer(config.analyzer.as_ref()).await.into()));
    if let BrokerConfig::Upstash(upstash) = &config.broker
        && upstash.wake
    {
        parts.push(("wake-ups", kept::wake(upstash).await.into()));
    }
    if let Some(url) = &config.storage.database_direct_url {
        parts.push(("migrations", kept::direct(url).await.into()));
    }
    if let Some(traces) = &config.traces {
        parts.push(("traces", outside::traces(traces).await.into()));
    }
    parts
}

/// Says an error with all its causes.
fn chain(error: impl Into<anyhow::Error>) -> String {
    format!("{:#}", error.into())
}

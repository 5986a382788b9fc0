//! `tidings qstash-dev`: a queue that speaks QStash, on a laptop.

use std::{net::SocketAddr, process::ExitCode};

use anyhow::{Context, bail};
use clap::{Args, builder::NonEmptyStringValueParser};

use super::stop_on_signal;
use crate::{
    bind,
    clock::Clock,
    qstash_dev::{QStashDev, QueueSettings},
    upstash::{DEVELOPMENT_KEYS, DEVELOPMENT_TOKEN},
};

#[derive(Args)]
pub(super) struct QStashDevArguments {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// What publishers have to show [default: the public token of the vendor's local server]
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    token: Option<String>,
    /// What deliveries are signed with
    #[arg(long, default_value = DEVELOPMENT_KEYS[0], value_parser = NonEmptyStringValueParser::new())]
    current_signing_key: String,
    /// What deliveries are signed with after the keys are rolled
    #[arg(long, default_value = DEVELOPMENT_KEYS[1], value_parser = NonEmptyStringValueParser::new())]
    next_signing_key: String,
    /// What delays and pauses between tries are multiplied with: 1 is real time, 0.01 a hundred times as fast
    #[arg(long, default_value_t = 1.0, value_parser = time_scale)]
    time_scale: f64,
}

pub(super) async fn run(arguments: QStashDevArguments) -> anyhow::Result<ExitCode> {
    if arguments.token.is_none() && !arguments.listen.ip().is_loopback() {
        bail!("others can reach {}: set what they have to show with --token", arguments.listen);
    }
    let door = if arguments.token.is_some() { "your token" } else { "the vendor's public token" };
    let settings = QueueSettings {
        token: arguments.token.unwrap_or_else(|| DEVELOPMENT_TOKEN.into()).into(),
        current_key: arguments.current_signing_key.into(),
        next_key: arguments.next_signing_key.into(),
        time_scale: arguments.time_scale,
        clock: Clock::System,
    };
    let listener =
        bind(arguments.listen).with_context(|| format!("listen on {} (--listen)", arguments.listen))?;
    let stop = stop_on_signal()?;
    println!("A queue like QStash on http://{} ({door})", listener.local_addr()?);
    QStashDev::new(settings, stop).serve(listener).await;
    Ok(ExitCode::SUCCESS)
}

fn time_scale(text: &str) -> Result<f64, String> {
    let scale = text.parse().ok().filter(|scale: &f64| (0.0..=10.0).contains(scale));
    scale.ok_or_else(|| "it must be a number from 0 to 10".into())
}

//! `tidings redis-rest`: any Redis in the manner of Upstash.

use std::{net::SocketAddr, process::ExitCode};

use anyhow::{Context, bail};
use clap::{Args, builder::NonEmptyStringValueParser};
use secrecy::SecretString;

use super::stop_on_signal;
use crate::{bind, redis_rest::RedisFront};

#[derive(Args)]
pub(super) struct RedisRestArguments {
    /// The Redis, with password and database number if it has them
    #[arg(long, default_value = "redis://127.0.0.1:6379")]
    redis: String,
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8079")]
    listen: SocketAddr,
    /// What clients have to show; without it every program of this machine is let in, with any token or none
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    token: Option<String>,
}

pub(super) async fn run(arguments: RedisRestArguments) -> anyhow::Result<ExitCode> {
    if arguments.token.is_none() && !arguments.listen.ip().is_loopback() {
        bail!("others can reach {}: set what they have to show with --token", arguments.listen);
    }
    let token = arguments.token.map(SecretString::from);
    let door = if token.is_some() { "token required" } else { "no token needed" };
    let listener =
        bind(arguments.listen).with_context(|| format!("listen on {} (--listen)", arguments.listen))?;
    let stop = stop_on_signal()?;
    let front = RedisFront::connect(&arguments.redis, token, stop).await?;
    println!("Upstash-compatible REST on http://{} ({door})", listener.local_addr()?);
    front.serve(listener).await;
    Ok(ExitCode::SUCCESS)
}

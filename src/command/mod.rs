//! The command line: one file per subcommand.

mod between;
mod check;
mod check_stream;
mod emit;
mod migrate;
mod qstash_dev;
mod redis_rest;
mod serve;
mod tail;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Config, Variables},
    telemetry::start_logs,
};

/// Live progress for long-running work, from any pipeline to any browser.
#[derive(Parser)]
#[command(name = "tidings", version, about, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve HTTP (also without a subcommand)
    Serve,
    /// Emit one progress event
    Emit(emit::EmitArguments),
    /// Follow a stream in the terminal: a bar, or JSON lines in a pipe
    Tail(tail::TailArguments),
    /// Bring the tables up to date
    Migrate,
    /// Connect to every configured part: one line each, exit 0 or 1
    Check(check_stream::StreamArguments),
    /// Serve any Redis in the manner of Upstash, for development and tests
    RedisRest(redis_rest::RedisRestArguments),
    /// Serve a queue in the manner of QStash, for development and tests
    #[command(name = "qstash-dev")]
    QStashDev(qstash_dev::QStashDevArguments),
}

/// Runs the command that the arguments name; an error is one line on standard error.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // A missing file is the usual case; a broken one should be heard of.
    if let Err(error) = dotenvy::from_path(".env")
        && !error.not_found()
    {
        return fail(&anyhow::anyhow!(".env cannot be read: {error}"));
    }
    match run(arguments.command.unwrap_or(Command::Serve)) {
        Ok(code) => code,
        Err(error) => fail(&error),
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    let config = Config::read(&Variables::of_process())?;
    start_logs(config.server.log_format, &config.server.log_filter);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let code = match command {
        Command::Serve => runtime.block_on(serve::run(config)),
        Command::Emit(arguments) => runtime.block_on(emit::run(&config, arguments)),
        Command::Tail(arguments) => runtime.block_on(tail::run(&config, arguments)),
        Command::Migrate => runtime.block_on(migrate::run(&config)),
        Command::Check(arguments) => runtime.block_on(check::run(&config, arguments)),
        Command::RedisRest(arguments) => runtime.block_on(redis_rest::run(arguments)),
        Command::QStashDev(arguments) => runtime.block_on(qstash_dev::run(arguments)),
    };
    // Reading a name or a large file may still hold a thread; nothing waits for it any more.
    runtime.shutdown_background();
    code
}

/// Gives a token that is cancelled when the process is asked to end.
fn stop_on_signal() -> std::io::Result<CancellationToken> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        told.cancel();
    });
    Ok(stop)
}

fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("tidings: {error:#}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Arguments::command().debug_assert();
    }
}

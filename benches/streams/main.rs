//! Loads Tidings over real sockets, beside two references: the floor and the baseline.
//!
//!     make bench
//!     make bench ONLY=idle,storm
//!     make soak
//!
//! What is measured stands in `workload/`, a file each; the servers in `contestant.rs` and
//! `references/`; what counts in `viewers.rs`, `publishers.rs` and `tally.rs`. How to read the figures:
//! docs/performance.md. Ends with an error when an event was lost, doubled or out of order.

mod arguments;
pub(crate) mod contestant;
mod counted;
pub(crate) mod machine;
pub(crate) mod plot;
mod publishers;
#[allow(dead_code, clippy::duplicate_mod, reason = "the tests use the rest, and load this program")]
#[path = "../../tests/it/support/redis.rs"]
mod redis_server;
mod references;
pub(crate) mod report;
mod soak;
pub(crate) mod tally;
mod viewers;
pub(crate) mod wire;
mod workload;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use arguments::{Arguments, Role};
use clap::{Parser, ValueEnum};
use machine::Cores;
use report::Results;
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
    task::LocalSet,
};
use workload::{Bench, Workload};

/// How long others may keep the machine busy before it is measured all the same, and marked.
const QUIET_WITHIN: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    run(Arguments::parse()).unwrap_or_else(|error| {
        eprintln!("{error:#}");
        ExitCode::FAILURE
    })
}

fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.role {
        Some(Role::Floor) => references::floor::run()?,
        Some(Role::Baseline) => references::baseline::run()?,
        Some(Role::Counted) => counted::run()?,
        Some(Role::Plot) => plot::draw(&results_folder()?)?,
        Some(Role::Soak { minutes }) => return until_stopped(soak::run(minutes)),
        None => return until_stopped(measure(arguments)),
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs on this thread alone. A signal drops the work, and with it the servers it has started.
fn until_stopped(work: impl Future<Output = anyhow::Result<bool>>) -> anyhow::Result<ExitCode> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let is_right = LocalSet::new().block_on(&runtime, async {
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            is_right = work => is_right,
            _ = terminate.recv() => Ok(false),
            _ = tokio::signal::ctrl_c() => Ok(false),
        }
    })?;
    Ok(if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Measures what was asked for; false when an event went astray.
async fn measure(arguments: Arguments) -> anyhow::Result<bool> {
    let built_with_benches = || PathBuf::from(env!("CARGO_BIN_EXE_tidings"));
    let program = arguments.server.clone().unwrap_or_else(built_with_benches);
    let program = program.canonicalize().with_context(|| format!("find {}", program.display()))?;
    let bench = Bench { program, cores: Cores::take(), quick: arguments.quick };
    let machine = format!("{}; {}", machine::describe(), bench.cores.describe());
    println!("{machine}\n{} against the references of this program", bench.program.display());
    let mut is_right = true;
    for workload in chosen(&arguments) {
        machine::have_descriptors(workload.viewers(bench.quick))?;
        let runs = if bench.quick { 1 } else { arguments.runs.max(1) };
        let results = measure_one(&bench, workload, runs).await?;
        report::print(&results);
        report::write(&results, &machine, &results_folder()?)?;
        let mut rules = report::goals_of(&results.workload).filter(|goal| goal.is_about_correctness());
        is_right &= rules.all(|goal| goal.is_met(&results) != Some(false));
    }
    Ok(is_right)
}

/// Gives what is to be measured, each once and in the order of the list.
fn chosen(arguments: &Arguments) -> impl Iterator<Item = &'static Workload> {
    let only = arguments.only.clone();
    Workload::value_variants().iter().filter(move |each| only.is_empty() || only.contains(each))
}

/// In each run all contestants have their turn: what else the machine does falls on all alike.
async fn measure_one(bench: &Bench, workload: &Workload, runs: usize) -> anyhow::Result<Results> {
    let mut results = Results::of(workload.name());
    eprintln!("{}: {}", results.workload, workload.says());
    for number in 1..=runs {
        let mut run = Vec::new();
        for contestant in workload.contestants() {
            if !bench.quick {
                machine::wait_for_quiet(QUIET_WITHIN).await;
            }
            eprintln!("  run {number} of {runs}: {}", contestant.name());
            let figures = workload.run(bench, *contestant).await;
            run.push((
                *contestant,
                figures.with_context(|| format!("{} of {}", results.workload, contestant.name()))?,
            ));
        }
        results.add_run(run);
    }
    Ok(results)
}

/// Where the JSON goes: `target/bench`, wherever the target folder is.
fn results_folder() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(3).context("this program is in target/<profile>/deps")?;
    Ok(Path::new(target).join("bench"))
}

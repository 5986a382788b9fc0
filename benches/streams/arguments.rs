//! What the program is told.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::workload::Workload;

/// Loads Tidings and two references over real sockets, in turn, and compares them.
#[derive(Parser)]
#[command(name = "streams")]
pub struct Arguments {
    #[command(subcommand)]
    pub role: Option<Role>,
    /// Only these, parted by commas; see the list in benches/streams/workload/mod.rs
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<Workload>,
    /// Runs of each, of which the medians count
    #[arg(long, default_value_t = 3)]
    pub runs: usize,
    /// A smoke run: a tenth of everything, once
    #[arg(long)]
    pub quick: bool,
    /// The server's program; else the one built with the benches, which has what tests need in it
    #[arg(long, global = true)]
    pub server: Option<PathBuf>,
    /// Cargo says it.
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Subcommand)]
pub enum Role {
    /// Streams that come and go for minutes: fails when memory, open files or tasks grow
    Soak {
        #[arg(long, default_value_t = 10)]
        minutes: u64,
    },
    /// Draws what the workload `growth` measured last, as docs/performance/growth.svg
    Plot,
    #[command(hide = true)]
    Floor,
    #[command(hide = true)]
    Baseline,
    /// Tidings, telling how many tasks it has
    #[command(hide = true)]
    Counted,
}

//! What is measured: a file per workload. Each starts a server of its own and gives its figures.

mod delivery;
mod emit;
mod growth;
mod idle;
mod paced;
mod rate;
mod storm;
mod upstash;

use std::{path::PathBuf, time::Duration};

use clap::ValueEnum;

use super::{
    contestant::{Contestant, Server},
    machine::Cores,
};
pub use growth::AT;

/// Viewers opened in a second, where it is not the opening that is measured.
const OPENED_PER_SECOND: f64 = 2_000.0;

/// Everything that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Workload {
    /// 10,000 streams on 10,000 channels, nothing told: memory
    Idle,
    /// 1 channel, 1,000 viewers, 10 events a second: latency and processor time
    FanOut,
    /// 1,000 channels, 1 viewer each, 1,000 events a second: latency and processor time
    Private,
    /// 1 channel, 100 viewers: the highest rate, from one publisher and from eight
    Rate,
    /// 2,000 viewers come back at once: how long until all have what they missed
    Storm,
    /// 1,000 viewers on 1,000 channels: how many events a second go in
    Emit,
    /// 1,000 to 15,000 viewers: what one costs
    Growth,
    /// Over Redis REST: 1,000 viewers on 1,000 channels, 200 events a second
    Upstash,
}

/// Figures by name; the name ends in the unit.
pub type Figures = Vec<(String, f64)>;

/// What every workload is given.
pub struct Bench {
    /// The server's program.
    pub program: PathBuf,
    pub cores: Cores,
    /// A smoke run: a tenth of everything, to see that it works.
    pub quick: bool,
}

impl Workload {
    pub fn name(self) -> String {
        self.to_possible_value().expect("no workload is hidden").get_name().to_owned()
    }

    pub fn says(self) -> String {
        let value = self.to_possible_value().expect("no workload is hidden");
        value.get_help().map(ToString::to_string).unwrap_or_default()
    }

    /// Who can do it.
    pub const fn contestants(self) -> &'static [Contestant] {
        match self {
            Self::Upstash => &[Contestant::Tidings],
            _ => &Contestant::ALL,
        }
    }

    pub const fn viewers(self, quick: bool) -> usize {
        let viewers = match self {
            Self::Idle => 10_000,
            Self::FanOut | Self::Private | Self::Emit | Self::Upstash => 1_000,
            Self::Rate => 100,
            Self::Storm => 2_000,
            Self::Growth => 15_000,
        };
        if quick { viewers / 10 } else { viewers }
    }

    /// Runs it once with one server.
    ///
    /// # Errors
    /// When the server does not start, or its viewers do not come up.
    pub async fn run(self, bench: &Bench, contestant: Contestant) -> anyhow::Result<Figures> {
        let viewers = self.viewers(bench.quick);
        match self {
            Self::Idle => idle::run(bench, contestant, viewers).await,
            Self::FanOut => paced::fan_out(bench, contestant, viewers).await,
            Self::Private => paced::private(bench, contestant, viewers).await,
            Self::Rate => rate::run(bench, contestant, viewers).await,
            Self::Storm => storm::run(bench, contestant, viewers).await,
            Self::Emit => emit::run(bench, contestant, viewers).await,
            Self::Growth => growth::run(bench, contestant, viewers).await,
            Self::Upstash => upstash::run(bench, viewers).await,
        }
    }
}

impl Bench {
    /// Shortens a time in a smoke run.
    pub fn lasting(&self, seconds: u64) -> Duration {
        Duration::from_millis(if self.quick { seconds * 150 } else { seconds * 1_000 })
    }

    fn start(&self, contestant: Contestant, environment: &[(&str, &str)]) -> anyhow::Result<Server> {
        Server::start(contestant, &self.program, self.cores, environment)
    }
}

/// Adds a figure.
fn add(figures: &mut Figures, name: &str, value: f64) {
    figures.push((name.to_owned(), value));
}

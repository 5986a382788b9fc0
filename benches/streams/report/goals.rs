//! What Tidings is to reach in each workload.

use std::fmt;

use super::{super::contestant::Contestant, results::Results};

/// A bound that one figure of Tidings keeps.
#[derive(Clone, Copy, Debug)]
pub struct Goal {
    workload: &'static str,
    pub figure: &'static str,
    pub bound: Bound,
}

/// How far a figure may go.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    AtMost(f64),
    AtLeast(f64),
    /// So many times the same figure of a reference, at most.
    AtMostTimes(f64, Contestant),
    AtLeastTimes(f64, Contestant),
    /// In every run.
    None,
}

use Bound::{AtLeast, AtLeastTimes, AtMost, AtMostTimes};
use Contestant::{Baseline, Floor};

const GOALS: [Goal; 43] = [
    goal("idle", "resident_kib_per_stream", AtMost(6.0)),
    goal("idle", "disconnects", Bound::None),
    goal("fan-out", "p50_ms", AtMostTimes(1.3, Floor)),
    goal("fan-out", "p99_ms", AtMostTimes(1.3, Floor)),
    goal("fan-out", "cpu_us_per_delivery", AtMostTimes(1.6, Floor)),
    goal("fan-out", "lost", Bound::None),
    goal("fan-out", "duplicates", Bound::None),
    goal("fan-out", "out_of_order", Bound::None),
    goal("private", "p99_ms", AtMostTimes(1.0, Baseline)),
    goal("private", "cpu_us_per_delivery", AtMostTimes(1.0, Baseline)),
    goal("private", "lost", Bound::None),
    goal("private", "duplicates", Bound::None),
    goal("private", "out_of_order", Bound::None),
    goal("rate", "publishers_1_events_per_s", AtLeastTimes(1.5, Baseline)),
    goal("rate", "publishers_8_events_per_s", AtLeastTimes(1.0, Baseline)),
    goal("storm", "all_back_ms", AtMostTimes(3.0, Floor)),
    goal("storm", "drops", Bound::None),
    goal("storm", "lost", Bound::None),
    goal("storm", "duplicates", Bound::None),
    goal("emit", "batch_events_per_s", AtLeast(20_000.0)),
    goal("emit", "lost", Bound::None),
    goal("emit", "duplicates", Bound::None),
    goal("emit", "batch_lost", Bound::None),
    goal("emit", "batch_duplicates", Bound::None),
    goal("growth", "resident_kib_per_viewer_growth", AtMost(1.1)),
    goal("growth", "cpu_us_per_viewer_second_growth", AtMost(1.1)),
    goal("upstash", "poll_rest_p50_ms", AtMost(170.0)),
    goal("upstash", "poll_rest_p99_ms", AtMost(340.0)),
    goal("upstash", "poll_rest_lost", Bound::None),
    goal("upstash", "poll_rest_duplicates", Bound::None),
    goal("upstash", "poll_http_p50_ms", AtMost(170.0)),
    goal("upstash", "poll_http_p99_ms", AtMost(340.0)),
    goal("upstash", "poll_http_lost", Bound::None),
    goal("upstash", "poll_http_duplicates", Bound::None),
    goal("upstash", "wake_rest_p99_ms", AtMost(30.0)),
    goal("upstash", "wake_rest_lost", Bound::None),
    goal("upstash", "wake_rest_duplicates", Bound::None),
    goal("upstash", "wake_http_p99_ms", AtMost(30.0)),
    goal("upstash", "wake_http_lost", Bound::None),
    goal("upstash", "wake_http_duplicates", Bound::None),
    goal("upstash", "wake_log_http_p99_ms", AtMost(30.0)),
    goal("upstash", "wake_log_http_lost", Bound::None),
    goal("upstash", "wake_log_http_duplicates", Bound::None),
];

const fn goal(workload: &'static str, figure: &'static str, bound: Bound) -> Goal {
    Goal { workload, figure, bound }
}

/// Gives the goals of one workload.
pub fn goals_of(workload: &str) -> impl Iterator<Item = Goal> {
    GOALS.into_iter().filter(move |goal| goal.workload == workload)
}

impl Goal {
    /// Says whether it is reached; nothing where it was not measured.
    pub fn is_met(&self, results: &Results) -> Option<bool> {
        let median = || results.median(Contestant::Tidings, self.figure);
        Some(match self.bound {
            AtMost(most) => median()? <= most,
            AtLeast(least) => median()? >= least,
            AtMostTimes(most, reference) => results.ratio(reference, self.figure)? <= most,
            AtLeastTimes(least, reference) => results.ratio(reference, self.figure)? >= least,
            Bound::None => results.worst(self.figure)? == 0.0,
        })
    }

    /// Says whether it is about being right, not about being fast.
    pub const fn is_about_correctness(&self) -> bool {
        matches!(self.bound, Bound::None)
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AtMost(most) => write!(formatter, "≤ {most}"),
            AtLeast(least) => write!(formatter, "≥ {least}"),
            AtMostTimes(most, reference) => write!(formatter, "≤ {most} × {}", reference.name()),
            AtLeastTimes(least, reference) => write!(formatter, "≥ {least} × {}", reference.name()),
            Self::None => formatter.write_str("0"),
        }
    }
}

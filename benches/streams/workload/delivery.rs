//! The stretch that most workloads measure: publish by a plan, wait for what is owed, count.

use std::time::Duration;

use anyhow::ensure;

use super::{
    super::{
        contestant::Server,
        machine::{Spent, Window},
        publishers::{Plan, Published, publish},
        viewers::Crowd,
    },
    Figures, add,
};

/// How long deliveries may take that are owed when the last event is in.
const OWED_WITHIN: Duration = Duration::from_secs(5);
/// The run of events that are not measured.
const WARM_UP: u64 = 1;

/// What a measured stretch showed.
pub struct Delivery {
    pub published: Published,
    pub spent: Spent,
    pub p50_ms: f64,
    pub p90_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
    pub deliveries: u64,
    pub lost: u64,
    pub duplicates: u64,
    pub out_of_order: u64,
    pub disconnects: u64,
}

/// Publishes without measuring, so that the server is as it is when it has run for a while.
pub async fn warm_up(crowd: &Crowd, plan: &Plan, lasts: Duration) {
    crowd.audience.borrow_mut().tally.begin(WARM_UP);
    publish(Plan { run: WARM_UP, lasts, ..plan.clone() }, &crowd.audience).await;
    crowd.wait(OWED_WITHIN, |tally| tally.lost() == 0).await;
}

/// Publishes by `plan` and counts what arrives.
///
/// # Errors
/// When the server took nothing at all.
pub async fn deliver(server: &Server, crowd: &Crowd, plan: Plan) -> anyhow::Result<Delivery> {
    crowd.audience.borrow_mut().tally.begin(plan.run);
    let window = Window::open(server.process());
    let published = publish(plan, &crowd.audience).await;
    let refusal = published.last_refusal;
    ensure!(published.taken > 0, "no event was taken; the last answer was {refusal:?}");
    crowd.wait(OWED_WITHIN, |tally| tally.lost() == 0).await;
    let spent = window.close();
    let tally = &crowd.audience.borrow().tally;
    Ok(Delivery {
        published,
        spent,
        p50_ms: tally.latency.at(0.5),
        p90_ms: tally.latency.at(0.9),
        p99_ms: tally.latency.at(0.99),
        max_ms: tally.latency.at(1.0),
        deliveries: tally.deliveries,
        lost: tally.lost(),
        duplicates: tally.duplicates,
        out_of_order: tally.out_of_order + tally.strays,
        disconnects: tally.disconnects,
    })
}

impl Delivery {
    /// Gives the server's processor time for one delivery, its publishing included.
    pub fn cpu_us_per_delivery(&self) -> f64 {
        self.spent.server.as_secs_f64() * 1e6 / self.deliveries.max(1) as f64
    }

    /// Adds what every workload shows, each name behind `prefix`.
    pub fn show(&self, prefix: &str, figures: &mut Figures) {
        let shown = [
            ("p50_ms", self.p50_ms),
            ("p90_ms", self.p90_ms),
            ("p99_ms", self.p99_ms),
            ("max_ms", self.max_ms),
            ("cpu_us_per_delivery", self.cpu_us_per_delivery()),
            ("deliveries_per_s", self.deliveries as f64 / self.spent.lasted.as_secs_f64()),
            ("lost", self.lost as f64),
            ("duplicates", self.duplicates as f64),
            ("out_of_order", self.out_of_order as f64),
            ("refused", (self.published.refused + self.published.unsent) as f64),
        ];
        shown.into_iter().for_each(|(name, value)| add(figures, &format!("{prefix}{name}"), value));
        show_cores(&self.spent, prefix, figures);
    }
}

/// Adds who kept the machine busy.
pub fn show_cores(spent: &Spent, prefix: &str, figures: &mut Figures) {
    add(figures, &format!("{prefix}server_cores"), spent.server_cores);
    add(figures, &format!("{prefix}generator_cores"), spent.generator_cores);
    add(figures, &format!("{prefix}other_cores"), spent.other_cores);
}

//! The highest rate of one channel at which nothing is lost and nobody waits long.

use super::{
    super::{
        contestant::{Contestant, Server},
        publishers::Plan,
        viewers::Crowd,
    },
    Bench, Figures, OPENED_PER_SECOND, add,
    delivery::{Delivery, deliver, warm_up},
};

/// Slower than this is no longer live.
const MOST_P99_MS: f64 = 250.0;
/// Share of the events that may not get in on time.
const MOST_BEHIND: f64 = 0.01;
/// The first rate that is tried, events a second.
const FIRST: f64 = 1_000.0;
/// The search ends where the rate that fails is this close to the one that holds.
const CLOSE_ENOUGH: f64 = 1.08;
const LOWEST: f64 = 10.0;

pub async fn run(bench: &Bench, contestant: Contestant, viewers: usize) -> anyhow::Result<Figures> {
    let mut figures = Figures::new();
    for publishers in [1, 8] {
        let server = bench.start(contestant, &[])?;
        let mut crowd = Crowd::of(&server);
        crowd.open((0..viewers).map(|_| 0), OPENED_PER_SECOND).await?;
        let found = Search { bench, server: &server, crowd: &crowd, publishers, run: 2 }.highest().await;
        let prefix = format!("publishers_{publishers}_");
        let (rate, delivery) = found.map_or((0.0, None), |(rate, delivery)| (rate, Some(delivery)));
        add(&mut figures, &format!("{prefix}events_per_s"), rate);
        if let Some(delivery) = delivery {
            add(&mut figures, &format!("{prefix}p50_ms"), delivery.p50_ms);
            add(&mut figures, &format!("{prefix}p99_ms"), delivery.p99_ms);
            add(&mut figures, &format!("{prefix}cpu_us_per_delivery"), delivery.cpu_us_per_delivery());
            super::delivery::show_cores(&delivery.spent, &prefix, &mut figures);
        }
    }
    Ok(figures)
}

/// A search for the highest rate that holds.
struct Search<'a> {
    bench: &'a Bench,
    server: &'a Server,
    crowd: &'a Crowd,
    publishers: u64,
    /// Each step's events are told apart from those that an earlier one left behind.
    run: u64,
}

impl Search<'_> {
    /// Doubles until a rate fails, then halves the way between.
    async fn highest(mut self) -> Option<(f64, Delivery)> {
        let (mut holds, mut fails) = (None, None);
        let mut rate = FIRST;
        while rate >= LOWEST {
            match self.hold_in_two_tries(rate).await {
                Some(delivery) => holds = Some((rate, delivery)),
                None => fails = Some(rate),
            }
            rate = match (&holds, fails) {
                (Some((holding, _)), Some(failing)) if failing / holding < CLOSE_ENOUGH => break,
                (Some((holding, _)), Some(failing)) => (holding * failing).sqrt(),
                (Some((holding, _)), None) => holding * 2.0,
                (None, _) => rate / 2.0,
            };
        }
        holds.map(|(_, delivery)| {
            (delivery.published.taken as f64 / delivery.published.took.as_secs_f64(), delivery)
        })
    }

    /// What else the machine does may fail a rate once, and would end the search far too early.
    async fn hold_in_two_tries(&mut self, rate: f64) -> Option<Delivery> {
        match self.hold(rate).await {
            None => self.hold(rate).await,
            held => held,
        }
    }

    async fn hold(&mut self, rate: f64) -> Option<Delivery> {
        self.run += 1;
        let plan = Plan {
            rate: Some(rate),
            lasts: self.bench.lasting(3),
            publishers: self.publishers,
            any_order: self.publishers > 1,
            stamp_due: true,
            run: self.run,
            ..Plan::of(self.server, 1)
        };
        warm_up(self.crowd, &plan, self.bench.lasting(1)).await;
        let delivery = deliver(self.server, self.crowd, plan).await.ok()?;
        let behind = (delivery.published.unsent + delivery.published.refused) as f64;
        let holds = delivery.lost == 0
            && delivery.disconnects == 0
            && delivery.deliveries > 0
            && delivery.p99_ms < MOST_P99_MS
            && behind <= MOST_BEHIND * (behind + delivery.published.taken as f64);
        holds.then_some(delivery)
    }
}

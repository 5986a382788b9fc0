//! All viewers are cut off, miss something, and come back at once.

use std::time::Duration;

use anyhow::ensure;
use tokio::time::sleep;

use super::{
    super::{
        contestant::{Contestant, Server},
        machine::Dropped,
        publishers::{Plan, publish},
        viewers::Crowd,
        wire::now_ns,
    },
    Bench, Figures, OPENED_PER_SECOND, add,
    delivery::deliver,
};

const VIEWERS_PER_CHANNEL: usize = 10;
/// Events of each channel while nobody is there.
const MISSED: u64 = 5;
const ROUNDS: u64 = 3;
const BACK_WITHIN: Duration = Duration::from_secs(60);
/// How long repeats have to show up.
const AFTERWARDS: Duration = Duration::from_millis(500);

pub async fn run(bench: &Bench, contestant: Contestant, viewers: usize) -> anyhow::Result<Figures> {
    let server = bench.start(contestant, &[])?;
    let channels = (viewers / VIEWERS_PER_CHANNEL) as u64;
    let mut crowd = Crowd::of(&server);
    crowd.open((0..viewers as u64).map(|viewer| viewer % channels), OPENED_PER_SECOND).await?;
    let mut storms = Vec::new();
    for round in 0..ROUNDS {
        storms.push(storm(&server, &mut crowd, channels, 2 * round + 2).await?);
    }
    Ok(show(&storms))
}

/// What one storm showed.
#[derive(Default)]
struct Storm {
    all_back_ms: f64,
    back_p50_ms: f64,
    back_p99_ms: f64,
    dropped: Dropped,
    lost: u64,
    /// Twice, out of order, or of somebody else's channel.
    wrong: u64,
    failed_tries: u64,
}

async fn storm(server: &Server, crowd: &mut Crowd, channels: u64, run: u64) -> anyhow::Result<Storm> {
    let viewers = crowd.audience.borrow().tally.viewers.len() as u64;
    let owed = if server.contestant.greets() { viewers * MISSED } else { 0 };
    crowd.leave().await;
    miss(server, crowd, channels, run).await?;
    let before = Dropped::now();
    let begun_ns = now_ns();
    crowd.come_back();
    crowd.wait(BACK_WITHIN, |tally| tally.up == viewers as usize && tally.deliveries >= owed).await;
    sleep(AFTERWARDS).await;
    let storm = {
        let tally = &crowd.audience.borrow().tally;
        let last_ns = tally.last_up_ns.max(tally.last_delivery_ns);
        ensure!(tally.up == viewers as usize, "{} of {viewers} viewers came back", tally.up);
        Storm {
            all_back_ms: last_ns.saturating_sub(begun_ns) as f64 / 1e6,
            back_p50_ms: tally.opening.at(0.5),
            back_p99_ms: tally.opening.at(0.99),
            dropped: Dropped::now().since(before),
            lost: if owed > 0 { tally.lost() } else { 0 },
            wrong: tally.duplicates + tally.out_of_order + tally.strays,
            failed_tries: tally.failed_tries,
        }
    };
    // Whoever is back must hear what comes next.
    let next = deliver(server, crowd, plan(server, channels, 1, run + 1)).await?;
    Ok(Storm {
        lost: storm.lost + next.lost,
        wrong: storm.wrong + next.duplicates + next.out_of_order,
        ..storm
    })
}

/// Publishes while nobody is there. The references keep nothing: their viewers are owed nothing.
async fn miss(server: &Server, crowd: &Crowd, channels: u64, run: u64) -> anyhow::Result<()> {
    crowd.audience.borrow_mut().tally.begin(run);
    let published = publish(plan(server, channels, MISSED, run), &crowd.audience).await;
    let (taken, refusal) = (published.taken, published.last_refusal);
    ensure!(taken == channels * MISSED, "{taken} events were taken; the last refusal was {refusal:?}");
    Ok(())
}

/// Some events for each channel, over a second, or as long as a busy machine takes.
const fn plan(server: &Server, channels: u64, each: u64, run: u64) -> Plan {
    let events = channels * each;
    Plan {
        rate: Some(events as f64),
        events: Some(events),
        lasts: Duration::from_secs(30),
        run,
        ..Plan::of(server, channels)
    }
}

fn show(storms: &[Storm]) -> Figures {
    let median = |of: fn(&Storm) -> f64| {
        let mut values: Vec<_> = storms.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let sum = |of: fn(&Storm) -> u64| storms.iter().map(of).sum::<u64>() as f64;
    let mut figures = Figures::new();
    add(&mut figures, "all_back_ms", median(|storm| storm.all_back_ms));
    add(&mut figures, "back_p50_ms", median(|storm| storm.back_p50_ms));
    add(&mut figures, "back_p99_ms", median(|storm| storm.back_p99_ms));
    add(&mut figures, "overflows", sum(|storm| storm.dropped.overflows));
    add(&mut figures, "drops", sum(|storm| storm.dropped.drops));
    add(&mut figures, "failed_tries", sum(|storm| storm.failed_tries));
    add(&mut figures, "lost", sum(|storm| storm.lost));
    add(&mut figures, "duplicates", sum(|storm| storm.wrong));
    figures
}

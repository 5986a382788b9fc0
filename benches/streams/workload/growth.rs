//! What one viewer costs as their number grows.

use tokio::time::sleep;

use super::{
    super::{contestant::Contestant, machine::Memory, publishers::Plan, viewers::Crowd},
    Bench, Figures, OPENED_PER_SECOND, add,
    delivery::{deliver, warm_up},
    idle::per_stream_second,
};

const STEPS: [usize; 5] = [1_000, 2_000, 5_000, 10_000, 15_000];
const VIEWERS_PER_CHANNEL: usize = 100;
/// Events a second of each channel, and so of each viewer.
const EVENTS_PER_SECOND: f64 = 2.0;
/// Parts a figure's name from the number of viewers.
pub const AT: char = '@';

pub async fn run(bench: &Bench, contestant: Contestant, viewers: usize) -> anyhow::Result<Figures> {
    let server = bench.start(contestant, &[])?;
    let before = Memory::of(server.process());
    let mut crowd = Crowd::of(&server);
    let mut figures = Figures::new();
    let (mut open, mut memory_then) = (0, before);
    for (step, count) in (0..).zip(STEPS.map(|step| step * viewers / STEPS[STEPS.len() - 1])) {
        let channels = (open..count).map(|viewer| (viewer / VIEWERS_PER_CHANNEL) as u64);
        crowd.open(channels, OPENED_PER_SECOND).await?;
        let added = count - std::mem::replace(&mut open, count);
        sleep(bench.lasting(1)).await;
        let channels = count.div_ceil(VIEWERS_PER_CHANNEL) as u64;
        let plan = Plan {
            rate: Some(channels as f64 * EVENTS_PER_SECOND),
            lasts: bench.lasting(15),
            run: step + 2,
            ..Plan::of(&server, channels)
        };
        warm_up(&crowd, &plan, bench.lasting(1)).await;
        let delivery = deliver(&server, &crowd, plan).await?;
        let memory_now = Memory::of(server.process());
        let memory = memory_now.per_each(before, count);
        let added = memory_now.per_each(std::mem::replace(&mut memory_then, memory_now), added);
        let shown = [
            ("resident_kib_per_viewer", memory.resident),
            ("private_kib_per_viewer", memory.private),
            ("resident_kib_per_added_viewer", added.resident),
            ("cpu_us_per_viewer_second", per_stream_second(&delivery.spent, count)),
            ("p99_ms", delivery.p99_ms),
            ("lost", delivery.lost as f64),
            ("duplicates", delivery.duplicates as f64),
            ("other_cores", delivery.spent.other_cores),
        ];
        shown.into_iter().for_each(|(name, value)| add(&mut figures, &format!("{name}{AT}{count}"), value));
    }
    for name in ["resident_kib_per_viewer", "cpu_us_per_viewer_second"] {
        let growth = last_to_first(&figures, name);
        add(&mut figures, &format!("{name}_growth"), growth);
    }
    Ok(figures)
}

/// Gives how often larger a figure is at the most viewers than at the fewest.
fn last_to_first(figures: &Figures, name: &str) -> f64 {
    let values = figures.iter().filter(|(figure, _)| figure.split(AT).next() == Some(name));
    let values: Vec<_> = values.map(|(_, value)| *value).collect();
    let ends = values.last().zip(values.first()).filter(|(_, first)| **first > 0.0);
    ends.map_or(0.0, |(last, first)| last / first)
}

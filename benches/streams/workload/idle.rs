//! Streams on which nothing happens: what one costs in memory.

use tokio::time::sleep;

use super::{
    super::{
        contestant::Contestant,
        machine::{Memory, Window},
        viewers::Crowd,
    },
    Bench, Figures, OPENED_PER_SECOND, add,
    delivery::show_cores,
};

pub async fn run(bench: &Bench, contestant: Contestant, viewers: usize) -> anyhow::Result<Figures> {
    let server = bench.start(contestant, &[])?;
    let before = Memory::of(server.process());
    let mut crowd = Crowd::of(&server);
    crowd.open(0..viewers as u64, OPENED_PER_SECOND).await?;
    sleep(bench.lasting(2)).await;
    let memory = Memory::of(server.process()).per_each(before, viewers);
    crowd.audience.borrow_mut().tally.other_frames = 0;

    let window = Window::open(server.process());
    sleep(bench.lasting(15)).await;
    let spent = window.close();

    let tally = &crowd.audience.borrow().tally;
    let mut figures = Figures::new();
    add(&mut figures, "resident_kib_per_stream", memory.resident);
    add(&mut figures, "proportional_kib_per_stream", memory.proportional);
    add(&mut figures, "private_kib_per_stream", memory.private);
    add(&mut figures, "open_p50_ms", tally.opening.at(0.5));
    add(&mut figures, "open_p99_ms", tally.opening.at(0.99));
    add(&mut figures, "heartbeats_per_stream", tally.other_frames as f64 / viewers as f64);
    add(&mut figures, "cpu_us_per_stream_second", per_stream_second(&spent, viewers));
    add(&mut figures, "disconnects", tally.disconnects as f64);
    show_cores(&spent, "", &mut figures);
    Ok(figures)
}

/// Gives the server's processor time for one stream and second.
pub fn per_stream_second(spent: &super::super::machine::Spent, viewers: usize) -> f64 {
    spent.server_cores * 1e6 / viewers as f64
}

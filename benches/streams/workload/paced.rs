//! A steady rate: to many viewers of one channel, and to one viewer each of many.

use super::{
    super::{contestant::Contestant, publishers::Plan, viewers::Crowd},
    Bench, Figures, OPENED_PER_SECOND,
    delivery::{deliver, warm_up},
};

/// 10 events a second from one publisher, all to every viewer.
pub async fn fan_out(bench: &Bench, contestant: Contestant, viewers: usize) -> anyhow::Result<Figures> {
    run(bench, contestant, viewers, Shape { channels: 1, rate: 10.0, publishers: 1 }).await
}

/// An event a second to each viewer's own channel, from eight publishers.
pub async fn private(bench: &Bench, contestant: Contestant, viewers: usize) -> anyhow::Result<Figures> {
    let channels = viewers as u64;
    run(bench, contestant, viewers, Shape { channels, rate: viewers as f64, publishers: 8 }).await
}

struct Shape {
    channels: u64,
    rate: f64,
    publishers: u64,
}

async fn run(bench: &Bench, contestant: Contestant, viewers: usize, shape: Shape) -> anyhow::Result<Figures> {
    let server = bench.start(contestant, &[])?;
    let mut crowd = Crowd::of(&server);
    crowd.open((0..viewers as u64).map(|viewer| viewer % shape.channels), OPENED_PER_SECOND).await?;
    let plan = Plan {
        rate: Some(shape.rate),
        lasts: bench.lasting(15),
        publishers: shape.publishers,
        ..Plan::of(&server, shape.channels)
    };
    warm_up(&crowd, &plan, bench.lasting(2)).await;
    let mut figures = Figures::new();
    deliver(&server, &crowd, plan).await?.show("", &mut figures);
    Ok(figures)
}

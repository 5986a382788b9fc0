//! How many events a second go in over HTTP while many viewers read along.

use super::{
    super::{contestant::Contestant, publishers::Plan, viewers::Crowd},
    Bench, Figures, OPENED_PER_SECOND, add,
    delivery::{Delivery, deliver, warm_up},
};

/// Events in one request, where several are taken.
const BATCH: u64 = 64;

pub async fn run(bench: &Bench, contestant: Contestant, viewers: usize) -> anyhow::Result<Figures> {
    let server = bench.start(contestant, &[])?;
    let mut crowd = Crowd::of(&server);
    crowd.open(0..viewers as u64, OPENED_PER_SECOND).await?;
    let single = Plan { lasts: bench.lasting(5), publishers: 8, ..Plan::of(&server, viewers as u64) };
    warm_up(&crowd, &single, bench.lasting(1)).await;
    let mut figures = Figures::new();
    show(&deliver(&server, &crowd, single.clone()).await?, "", &mut figures);
    if contestant == Contestant::Tidings {
        let batches = Plan { batch: BATCH, run: 4, ..single };
        warm_up(&crowd, &batches, bench.lasting(1)).await;
        show(&deliver(&server, &crowd, batches).await?, "batch_", &mut figures);
    }
    Ok(figures)
}

fn show(delivery: &Delivery, prefix: &str, figures: &mut Figures) {
    let rate = delivery.published.taken as f64 / delivery.published.took.as_secs_f64();
    add(figures, &format!("{prefix}events_per_s"), rate);
    add(figures, &format!("{prefix}answer_p99_ms"), delivery.published.answers.at(0.99));
    delivery.show(prefix, figures);
}

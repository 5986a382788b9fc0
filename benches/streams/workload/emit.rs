//! How many events a second go in over HTTP while many viewers read along.

use std::time::Duration;

use super::{
    super::{
        contestant::Contestant,
        publishers::{Plan, publish},
        viewers::Crowd,
    },
    Bench, Figures, OPENED_PER_SECOND, add,
    delivery::{Delivery, deliver, warm_up},
};

/// Events in one request, where the server takes several.
const BATCH: u64 = 64;

pub async fn run(bench: &Bench, contestant: Contestant, viewers: usize) -> anyhow::Result<Figures> {
    let server = bench.start(contestant, &[])?;
    let mut crowd = Crowd::of(&server);
    crowd.open(0..viewers as u64, OPENED_PER_SECOND).await?;
    let single = Plan { lasts: bench.lasting(5), publishers: 8, ..Plan::of(&server, viewers as u64) };
    warm_up(&crowd, &single, bench.lasting(1)).await;
    let mut figures = Figures::new();
    show(&deliver(&server, &crowd, single.clone()).await?, "", &mut figures);
    if contestant == Contestant::Tidings && takes_batches(&crowd, &single).await {
        let batches = Plan { batch: BATCH, run: 4, ..single };
        warm_up(&crowd, &batches, bench.lasting(1)).await;
        show(&deliver(&server, &crowd, batches).await?, "batch_", &mut figures);
    }
    Ok(figures)
}

/// Asks with a batch whether the server takes any.
async fn takes_batches(crowd: &Crowd, single: &Plan) -> bool {
    let few = Plan { batch: 2, publishers: 1, lasts: Duration::from_millis(1), run: 3, ..single.clone() };
    publish(few, &crowd.audience).await.taken > 0
}

fn show(delivery: &Delivery, prefix: &str, figures: &mut Figures) {
    let rate = delivery.published.taken as f64 / delivery.published.took.as_secs_f64();
    add(figures, &format!("{prefix}events_per_s"), rate);
    add(figures, &format!("{prefix}answer_p99_ms"), delivery.published.answers.at(0.99));
    delivery.show(prefix, figures);
}

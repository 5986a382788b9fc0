//! The way over Redis: a real one, with Tidings' own REST front before it.
//!
//! Redis, the front and the server share the servers' core.

use super::{
    super::{
        contestant::Contestant,
        publishers::{Door, Plan},
        redis_server::{Redis, RedisRest},
        viewers::Crowd,
    },
    Bench, Figures,
    delivery::{deliver, warm_up},
};

const EVENTS_PER_SECOND: f64 = 200.0;
/// Each viewer's log is read once when it comes.
const OPENED_PER_SECOND: f64 = 400.0;

/// How the server listens, and how events get in.
struct Mode {
    name: &'static str,
    settings: &'static [(&'static str, &'static str)],
    push: Option<Door>,
}

const MODES: [Mode; 5] = [
    Mode { name: "poll_rest_", settings: &[], push: Some(Door::Push { wake: false }) },
    Mode { name: "poll_http_", settings: &[], push: None },
    Mode { name: "wake_rest_", settings: &[WAKE], push: Some(Door::Push { wake: true }) },
    Mode { name: "wake_http_", settings: &[WAKE], push: None },
    Mode { name: "wake_log_http_", settings: &[WAKE, LOG], push: None },
];
const WAKE: (&str, &str) = ("UPSTASH_WAKE", "on");
const LOG: (&str, &str) = ("UPSTASH_EMIT", "log");

pub async fn run(bench: &Bench, viewers: usize) -> anyhow::Result<Figures> {
    let mut figures = Figures::new();
    for mode in MODES {
        measure(bench, viewers, mode, &mut figures).await?;
    }
    Ok(figures)
}

async fn measure(bench: &Bench, viewers: usize, mode: Mode, figures: &mut Figures) -> anyhow::Result<()> {
    let (_redis, front) = bench.cores.on_servers(|| {
        let redis = Redis::start();
        let front = RedisRest::with_token(&redis, "t");
        (redis, front)
    });
    let address = [("UPSTASH_REDIS_REST_URL", front.url.as_str()), ("UPSTASH_REDIS_REST_TOKEN", "t")];
    let server = bench.start(Contestant::Tidings, &[&address, mode.settings].concat())?;
    let mut crowd = Crowd::of(&server);
    crowd.open(0..viewers as u64, OPENED_PER_SECOND).await?;
    let front = front.url.trim_start_matches("http://").parse()?;
    let plan = Plan {
        door: mode.push.unwrap_or(Door::Progress),
        address: if mode.push.is_some() { front } else { server.address },
        rate: Some(EVENTS_PER_SECOND),
        lasts: bench.lasting(15),
        publishers: 8,
        ..Plan::of(&server, viewers as u64)
    };
    warm_up(&crowd, &plan, bench.lasting(2)).await;
    deliver(&server, &crowd, plan).await?.show(mode.name, figures);
    Ok(())
}

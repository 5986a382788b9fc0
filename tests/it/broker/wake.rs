//! Waking instead of asking, and events that go straight into the log: the suite over each way,
//! writers that get between, and subscriptions that end or fall silent.

use std::{sync::Arc, time::Duration};

use secrecy::SecretString;
use tidings::{
    broker::{Broker, Emit, Entry, UpstashBroker, UpstashSettings, Watch, WatchNews},
    clock::Clock,
    event::{Channel, EventId},
    telemetry::Metrics,
    upstash::{Command, RedisRest},
};
use tokio::time::{Instant, sleep, timeout};

use super::{
    suite::{channel, numbers, publication, publish, run_all, told},
    upstash::Database,
};
use crate::support::cutter::Cutter;

/// Far longer than anything here takes, for a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn waking(emit: Emit) -> UpstashSettings {
    UpstashSettings { wake: true, emit, ..UpstashSettings::default() }
}

/// A broker over `redis` with counts of its own.
fn broker(redis: RedisRest, settings: UpstashSettings) -> (UpstashBroker, Arc<Metrics>) {
    let metrics = Arc::<Metrics>::default();
    (UpstashBroker::new(redis, Clock::System, Arc::clone(&metrics), settings), metrics)
}

fn client(url: &str) -> RedisRest {
    RedisRest::new(url.parse().unwrap(), SecretString::from("t"), Arc::<Metrics>::default())
}

/// Reads the log as a viewer that comes in does, and watches on from there.
async fn join(broker: &UpstashBroker, channel: &Channel) -> Arc<dyn Watch> {
    let watch = broker.watch();
    let history = broker.history(channel).await.unwrap();
    watch.add(channel, history.position());
    watch
}

/// Reads entries until the number `last` has come.
async fn told_until(watch: &Arc<dyn Watch>, last: usize) -> Vec<Entry> {
    let mut entries = Vec::new();
    while !numbers(&entries).contains(&last) {
        match timeout(PATIENCE, watch.next()).await.expect("the watch is silent") {
            WatchNews::Entries(_, news) => entries.extend(news),
            WatchNews::Up | WatchNews::Down => {}
            WatchNews::Gap(_) => panic!("a gap"),
        }
    }
    entries
}

async fn stands(metrics: &Metrics, is_up: bool) {
    let line = format!("tidings_wake_up {}", u8::from(is_up));
    let begun = Instant::now();
    while !metrics.encode().contains(&line) {
        assert!(begun.elapsed() < PATIENCE, "the subscription is not {is_up}");
        sleep(Duration::from_millis(20)).await;
    }
}

fn count(metrics: &Metrics, outcome: &str) -> u64 {
    let name = format!("tidings_wakes_total{{outcome=\"{outcome}\"}} ");
    let text = metrics.encode();
    text.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn waking_over_lists_keeps_the_contract() {
    run_all(async || Database::with(waking(Emit::List)).await).await;
}

#[tokio::test]
async fn waking_over_the_log_keeps_the_contract() {
    run_all(async || Database::with(waking(Emit::Log)).await).await;
}

#[tokio::test]
async fn emitting_into_the_log_without_waking_keeps_the_contract() {
    let settings = UpstashSettings { emit: Emit::Log, ..UpstashSettings::default() };
    run_all(async || Database::with(settings).await).await;
}

#[tokio::test]
async fn events_of_one_emitter_are_taken_without_a_read() {
    let database = Database::with(waking(Emit::Log)).await;
    let (reader, metrics) = broker(database.redis.clone(), waking(Emit::Log));
    let watch = join(&reader, &channel("p1")).await;
    let emitter = database.upstash();

    for n in 0..6 {
        assert!(emitter.publish(&[publication(&channel("p1"), n)]).await[0].is_ok());
        assert_eq!(numbers(&told(&watch, &channel("p1"), 1).await), [n]);
    }

    // Nobody knows what stood before the first of a chain.
    assert_eq!((count(&metrics, "read"), count(&metrics, "taken")), (1, 5));
}

#[tokio::test]
async fn an_idle_process_sends_nothing_between_its_slow_looks() {
    let database = Database::with(waking(Emit::List)).await;
    let (reader, metrics) = broker(database.redis.clone(), waking(Emit::List));
    let _watch = join(&reader, &channel("p1")).await;
    stands(&metrics, true).await;
    sleep(Duration::from_secs(1)).await;

    let before = database.server.commands().await;
    sleep(Duration::from_secs(4)).await;

    assert_eq!(database.server.commands().await - before, 0);
}

#[tokio::test]
async fn whoever_gets_between_is_told_in_its_place() {
    const EACH: usize = 120;
    let database = Database::with(waking(Emit::Log)).await;
    let channel = channel("p1");
    let readers = [database.upstash(), database.upstash()];
    let watches = [join(&readers[0], &channel).await, join(&readers[1], &channel).await];
    let emitters = [database.upstash(), database.upstash()];
    let strangers = database.redis.clone();

    let emit = async |emitter: &UpstashBroker, from: usize| {
        for n in from..from + EACH {
            assert!(emitter.publish(&[publication(&channel, n)]).await[0].is_ok());
        }
    };
    let push = async {
        for n in 2 * EACH..3 * EACH {
            let push = Command::new("RPUSH").arg(channel.to_string()).arg(format!("{{\"n\":{n}}}"));
            let wake = Command::new("PUBLISH").arg("tidings:wake").arg(channel.to_string());
            strangers.pipeline(&[push, wake]).await.unwrap();
        }
    };
    tokio::join!(emit(&emitters[0], 0), emit(&emitters[1], EACH), push);

    let log = loop {
        emitters[0].settle(&channel).await.unwrap();
        let log = emitters[0].history(&channel).await.unwrap().entries;
        if log.len() >= 3 * EACH {
            break log;
        }
    };
    for watch in &watches {
        let mut entries = Vec::new();
        while entries.len() < log.len() {
            match timeout(PATIENCE, watch.next()).await.expect("the watch is silent") {
                WatchNews::Entries(_, news) => entries.extend(news),
                other => panic!("unexpected: {other:?}"),
            }
        }
        assert!(entries == log, "each entry of the log once, in its order");
    }
}

#[tokio::test]
async fn a_batch_stays_whole_and_in_order_among_others() {
    let database = Database::with(waking(Emit::Log)).await;
    let channel = channel("p1");
    let watch = join(&database.upstash(), &channel).await;
    let emitters = [database.upstash(), database.upstash()];
    for round in 0..10 {
        for (which, emitter) in emitters.iter().enumerate() {
            let from = round * 20 + which * 10;
            let events: Vec<_> = (from..from + 10).map(|n| publication(&channel, n)).collect();
            assert!(emitter.publish(&events).await.iter().all(Result::is_ok));
        }
    }

    assert_eq!(numbers(&told_until(&watch, 199).await), (0..200).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_comes_between_the_read_and_the_watch_is_told() {
    let database = Database::with(waking(Emit::Log)).await;
    let channel = channel("p1");
    let (reader, metrics) = broker(database.redis.clone(), waking(Emit::Log));
    let others = reader.watch();
    others.add(&super::suite::channel("other"), EventId::ZERO);
    stands(&metrics, true).await;
    let history = reader.history(&channel).await.unwrap();

    publish(&database.upstash(), &channel, 0..1).await;
    sleep(Duration::from_millis(300)).await;
    others.add(&channel, history.position());

    assert_eq!(numbers(&told(&others, &channel, 1).await), [0]);
}

#[tokio::test]
async fn a_producer_that_wakes_nobody_is_heard_at_the_slow_look() {
    let settings = UpstashSettings { slow_interval: Duration::from_secs(1), ..waking(Emit::List) };
    let database = Database::with(settings).await;
    let (reader, metrics) = broker(database.redis.clone(), settings);
    let (other, others_metrics) = broker(database.redis.clone(), waking(Emit::List));
    let watches = [join(&reader, &channel("p1")).await, join(&other, &channel("p1")).await];
    stands(&metrics, true).await;
    stands(&others_metrics, true).await;

    database.push(&channel("p1"), &["{\"n\":7}"]).await;

    // The second one looks every 50 s only: the first has to wake it.
    for watch in &watches {
        assert_eq!(numbers(&told_until(watch, 7).await), [7]);
    }
}

#[tokio::test]
async fn a_subscription_that_is_cut_is_replaced_by_asking_until_it_is_back() {
    let database = Database::with(waking(Emit::Log)).await;
    let line = Cutter::before(&database.front_url()).await;
    let (reader, metrics) = broker(client(&line.url), waking(Emit::Log));
    let watch = join(&reader, &channel("p1")).await;
    stands(&metrics, true).await;
    let emitter = database.upstash();

    line.cut();
    stands(&metrics, false).await;
    publish(&emitter, &channel("p1"), 0..3).await;
    line.mend();

    assert_eq!(numbers(&told_until(&watch, 2).await), [0, 1, 2]);
    stands(&metrics, true).await;
    publish(&emitter, &channel("p1"), 3..4).await;
    assert_eq!(numbers(&told_until(&watch, 3).await), [3]);
}

#[tokio::test]
async fn a_subscription_that_falls_silent_is_noticed() {
    let settings = UpstashSettings { slow_interval: Duration::from_secs(2), ..waking(Emit::Log) };
    let database = Database::with(settings).await;
    let line = Cutter::before(&database.front_url()).await;
    let (reader, metrics) = broker(client(&line.url), settings);
    let watch = join(&reader, &channel("p1")).await;
    stands(&metrics, true).await;

    line.stall();
    line.mend();

    // What is heard from now on is heard by another subscription.
    let emitter = database.upstash();
    let begun = Instant::now();
    let mut published = 0;
    while count(&metrics, "taken") == 0 {
        assert!(begun.elapsed() < PATIENCE, "the silence is not noticed");
        publish(&emitter, &channel("p1"), published..published + 1).await;
        published += 1;
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(numbers(&told_until(&watch, published - 1).await), (0..published).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_redis_that_was_away_is_listened_to_again() {
    let mut database = Database::with(waking(Emit::Log)).await;
    let (reader, metrics) = broker(database.redis.clone(), waking(Emit::Log));
    let watch = join(&reader, &channel("p1")).await;
    stands(&metrics, true).await;

    database.server.crash();
    stands(&metrics, false).await;
    database.server.start_again();
    stands(&metrics, true).await;

    publish(&database.upstash(), &channel("p1"), 0..2).await;
    assert_eq!(numbers(&told_until(&watch, 1).await), [0, 1]);
}

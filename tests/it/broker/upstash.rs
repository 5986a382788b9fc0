//! The Upstash broker over a real Redis: the suite, strangers' lists, and what goes wrong in them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use secrecy::SecretString;
use tidings::{
    broker::{Broker, UpstashBroker, UpstashSettings, Watch, WatchNews},
    clock::Clock,
    event::{Channel, EventId},
    telemetry::Metrics,
    upstash::{Command, RedisRest, Reply},
};
use tokio::time::timeout;

use super::suite::{Backend, channel, numbers, publication, publish, run_all, told};

use crate::support::{
    gate::{Gate, Mood},
    redis::{Redis, RedisRest as Front},
};

/// How long a tick, a drain and a read may take on a busy machine.
const SOON: Duration = Duration::from_secs(5);

/// A database of its own, whose keys can be aged.
pub struct Database {
    pub server: Redis,
    front: Front,
    pub redis: RedisRest,
    aged_by: AtomicU64,
    settings: UpstashSettings,
}

impl Database {
    async fn empty() -> Self {
        Self::with(UpstashSettings::default()).await
    }

    pub async fn with(settings: UpstashSettings) -> Self {
        let server = Redis::start();
        let front = Front::with_token(&server, "t");
        let url = front.url.parse().unwrap();
        let redis = RedisRest::new(url, SecretString::from("t"), Arc::<Metrics>::default());
        Self { server, front, redis, aged_by: AtomicU64::new(0), settings }
    }

    pub fn front_url(&self) -> String {
        self.front.url.clone()
    }

    pub async fn run(&self, command: Command) -> Reply {
        self.redis.command(&command).await.unwrap()
    }

    pub async fn push(&self, channel: &Channel, items: &[&str]) {
        self.run(Command::new("RPUSH").arg(channel.to_string()).args(items.iter().copied())).await;
    }

    async fn list(&self, key: &str) -> Vec<String> {
        let items = self.run(Command::new("LRANGE").arg(key).args(["0", "-1"])).await.into_array().unwrap();
        items.into_iter().map(|item| item.into_text().unwrap()).collect()
    }

    pub fn upstash(&self) -> UpstashBroker {
        let now = Clock::System.since_epoch() + Duration::from_secs(self.aged_by.load(Relaxed));
        let clock = Clock::following_timers(now);
        UpstashBroker::new(self.redis.clone(), clock, Arc::<Metrics>::default(), self.settings)
    }
}

#[async_trait]
impl Backend for Database {
    fn broker(&self) -> Arc<dyn Broker> {
        Arc::new(self.upstash())
    }

    /// A key lives as much shorter as time has passed.
    async fn pass(&self, time: Duration) {
        self.aged_by.fetch_add(time.as_secs(), Relaxed);
        for key in self.run(Command::new("KEYS").arg("*")).await.into_array().unwrap() {
            let key = key.into_text().unwrap();
            let left = self.run(Command::new("PTTL").arg(key.clone())).await.as_integer().unwrap();
            let left = left - i64::try_from(time.as_millis()).unwrap();
            self.run(Command::new("PEXPIRE").arg(key).arg(left.to_string())).await;
        }
    }
}

fn event(n: usize) -> String {
    format!("{{\"n\":{n}}}")
}

async fn watching(database: &Database, channels: &[Channel]) -> Arc<dyn Watch> {
    let watch = database.upstash().watch();
    for channel in channels {
        watch.add(channel, EventId::ZERO);
    }
    watch
}

#[tokio::test]
async fn the_upstash_broker_keeps_the_contract() {
    run_all(Database::empty).await;
}

#[tokio::test]
async fn what_a_stranger_pushes_is_told_and_leaves_the_list() {
    let database = Database::empty().await;
    let watch = watching(&database, &[channel("p1")]).await;

    database.push(&channel("p1"), &[&event(1), &event(2)]).await;
    let entries = told(&watch, &channel("p1"), 2).await;

    assert_eq!(numbers(&entries), [1, 2]);
    assert!(database.list("doc_progress:p1").await.is_empty());
}

#[tokio::test]
async fn what_is_no_event_goes_once_to_the_dead_letters_and_stops_nothing() {
    let database = Database::empty().await;
    let watch = watching(&database, &[channel("p1")]).await;
    let (deep, large) = ("[".repeat(3_000), format!("{{\"n\":\"{}\"}}", "x".repeat(20_000)));

    let items = [&event(1), "not json", "[1]", "", "{\"n\":", &deep, &large, &event(2)];
    database.push(&channel("p1"), &items).await;

    assert_eq!(numbers(&told(&watch, &channel("p1"), 2).await), [1, 2]);
    let dead = database.list("tidings:dead:doc_progress:p1").await;
    assert_eq!(dead.len(), 6);
    assert!(dead.iter().all(|item| item.len() <= 1_024));
}

#[tokio::test]
async fn an_inbox_that_is_no_list_is_put_aside_and_stops_no_other() {
    let database = Database::empty().await;
    database.run(Command::new("SET").args(["doc_progress:p1", "precious"])).await;
    database.push(&channel("p2"), &[&event(1)]).await;
    let watch = watching(&database, &[channel("p1"), channel("p2")]).await;

    assert_eq!(numbers(&told(&watch, &channel("p2"), 1).await), [1]);
    database.push(&channel("p1"), &[&event(2)]).await;
    assert_eq!(numbers(&told(&watch, &channel("p1"), 1).await), [2]);

    let aside = database.run(Command::new("GET").arg("tidings:quarantine:doc_progress:p1")).await;
    assert_eq!(aside.as_text(), Some("precious"));
}

#[tokio::test]
async fn what_the_log_does_not_take_goes_back_in_order() {
    let database = Database::empty().await;
    database.run(Command::new("SET").args(["tidings:log:doc_progress:p1", "in the way"])).await;
    let items: Vec<_> = (0..5).map(event).collect();
    database.push(&channel("p1"), &items.iter().map(String::as_str).collect::<Vec<_>>()).await;

    assert!(database.upstash().settle(&channel("p1")).await.is_err());
    assert_eq!(database.list("doc_progress:p1").await, items);

    database.run(Command::new("DEL").arg("tidings:log:doc_progress:p1")).await;
    database.upstash().settle(&channel("p1")).await.unwrap();
    let history = database.upstash().history(&channel("p1")).await.unwrap();
    assert_eq!(numbers(&history.entries), [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn many_busy_channels_are_all_drained_in_order() {
    let database = Database::empty().await;
    let channels: Vec<_> = (0..20).map(|n| channel(&format!("p{n}"))).collect();
    let broker = database.upstash();
    for round in 0..5 {
        let events: Vec<_> = (0..100)
            .flat_map(|n| channels.iter().map(move |channel| publication(channel, round * 100 + n)))
            .collect();
        assert!(broker.publish(&events).await.iter().all(Result::is_ok));
    }

    for channel in &channels {
        broker.settle(channel).await.unwrap();
        let history = broker.history(channel).await.unwrap();
        assert_eq!(numbers(&history.entries), (0..500).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_flushed_database_is_told_as_a_gap() {
    let database = Database::empty().await;
    let watch = watching(&database, &[channel("p1")]).await;
    database.push(&channel("p1"), &[&event(1)]).await;
    told(&watch, &channel("p1"), 1).await;

    database.run(Command::new("FLUSHALL")).await;

    let news = timeout(Duration::from_secs(15), watch.next()).await.unwrap();
    assert!(matches!(news, WatchNews::Gap(gap) if gap == channel("p1")));
}

#[tokio::test]
async fn a_log_that_was_rebuilt_with_lower_ids_is_told_as_a_gap() {
    let database = Database::empty().await;
    let watch = watching(&database, &[channel("p1")]).await;
    database.push(&channel("p1"), &[&event(1)]).await;
    told(&watch, &channel("p1"), 1).await;

    let log = "tidings:log:doc_progress:p1";
    database.run(Command::new("DEL").arg(log)).await;
    database.run(Command::new("XADD").arg(log).args(["5-1", "d", "{\"n\":2}"])).await;

    let news = timeout(Duration::from_secs(15), watch.next()).await.unwrap();
    assert!(matches!(news, WatchNews::Gap(gap) if gap == channel("p1")));
}

#[tokio::test]
async fn a_killed_redis_is_told_as_down_and_its_return_as_up() {
    let mut database = Database::empty().await;
    let watch = watching(&database, &[channel("p1")]).await;
    database.push(&channel("p1"), &[&event(1)]).await;
    told(&watch, &channel("p1"), 1).await;

    database.server.crash();
    assert!(matches!(timeout(SOON, watch.next()).await.unwrap(), WatchNews::Down));
    database.server.start_again();

    assert!(matches!(timeout(Duration::from_secs(15), watch.next()).await.unwrap(), WatchNews::Up));
    let publisher = database.upstash();
    publish(&publisher, &channel("p1"), 5..6).await;
    let mut news = timeout(Duration::from_secs(15), watch.next()).await.unwrap();
    if matches!(news, WatchNews::Gap(_)) {
        news = timeout(SOON, watch.next()).await.unwrap();
    }
    assert!(matches!(news, WatchNews::Entries(_, entries) if numbers(&entries) == [5]));
}

#[tokio::test]
async fn an_idle_process_costs_few_commands_however_many_channels_it_watches() {
    for count in [1, 100, 1_000] {
        let database = Database::empty().await;
        let channels: Vec<_> = (0..count).map(|n| channel(&format!("p{n}"))).collect();
        let _watch = watching(&database, &channels).await;
        tokio::time::sleep(Duration::from_secs(1)).await;

        let before = database.server.commands().await;
        tokio::time::sleep(Duration::from_secs(6)).await;
        let commands = database.server.commands().await - before;

        eprintln!("{count} channels, idle: {} commands a second", commands as f64 / 6.0);
        // At most 7 a second; the busiest moment holds one probe more.
        assert!(commands <= 7 * 6, "{count} channels: {commands} commands in 6 s");
        assert!(commands >= 6, "{count} channels: {commands} commands in 6 s");
    }
}

#[tokio::test]
async fn a_redis_far_away_is_looked_at_as_often_as_one_nearby() {
    let database = Database::empty().await;
    let gate = Gate::before(&database.front_url()).await;
    gate.be(Mood::Slow(Duration::from_millis(200)));
    let redis = RedisRest::new(gate.url.parse().unwrap(), SecretString::from("t"), Arc::<Metrics>::default());
    let (metrics, settings) = (Arc::<Metrics>::default(), UpstashSettings::default());
    let watch = UpstashBroker::new(redis, Clock::System, metrics, settings).watch();
    watch.add(&channel("p1"), EventId::ZERO);
    tokio::time::sleep(Duration::from_secs(1)).await;

    let (before, begun) = (gate.calls(), Instant::now());
    tokio::time::sleep(Duration::from_secs(6)).await;
    let (looks, took) = (gate.calls() - before, begun.elapsed());

    // One every 300 ms, not one every 300 ms and the 200 that it takes: that would be 12.
    assert!(looks > 15, "{looks} looks in {took:?}");
    assert!(looks <= took.div_duration_f64(settings.poll_interval) as usize + 1, "{looks} looks in {took:?}");
}

#[tokio::test]
async fn without_watched_channels_nothing_is_sent() {
    let database = Database::empty().await;
    let watch = watching(&database, &[channel("p1")]).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    watch.remove(&channel("p1"));

    // A look that was under way may still come in.
    for _ in 0..5 {
        let before = database.server.commands().await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        if database.server.commands().await == before {
            return;
        }
    }
    panic!("the channel is looked at still");
}

#[tokio::test]
async fn a_channel_on_which_nothing_is_under_way_is_looked_at_less_often() {
    let idle_poll_interval = Duration::from_secs(2);
    let database = Database::with(UpstashSettings { idle_poll_interval, ..UpstashSettings::default() }).await;
    let watch = watching(&database, &[channel("p1")]).await;
    let cost = async || {
        let before = database.server.commands().await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        database.server.commands().await - before
    };

    watch.rest(&channel("p1"), true);
    let not_quiet_yet = cost().await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(60)).await;
    tokio::time::resume();
    let resting = cost().await;
    watch.rest(&channel("p1"), false);
    let awake = cost().await;

    assert!(resting * 2 < not_quiet_yet.min(awake), "{not_quiet_yet}, {resting}, {awake}");
    database.push(&channel("p1"), &[&event(1)]).await;
    assert_eq!(numbers(&told(&watch, &channel("p1"), 1).await), [1]);
}

#[tokio::test]
async fn a_log_that_is_none_is_put_aside_and_stops_no_other() {
    let database = Database::empty().await;
    let watch = watching(&database, &[channel("p1"), channel("p2")]).await;
    database.run(Command::new("SET").args(["tidings:log:doc_progress:p1", "precious"])).await;
    database.push(&channel("p2"), &[&event(1)]).await;

    let mut entries = Vec::new();
    while entries.is_empty() {
        match timeout(Duration::from_secs(20), watch.next()).await.unwrap() {
            WatchNews::Entries(from, news) if from == channel("p2") => entries = news,
            _ => {}
        }
    }
    assert_eq!(numbers(&entries), [1]);
    let aside = "tidings:quarantine:tidings:log:doc_progress:p1";
    assert_eq!(database.run(Command::new("GET").arg(aside)).await.as_text(), Some("precious"));
}

#[tokio::test]
async fn what_is_settled_is_told_at_once_also_where_a_channel_rests() {
    let idle_poll_interval = Duration::from_secs(60);
    let database = Database::with(UpstashSettings { idle_poll_interval, ..UpstashSettings::default() }).await;
    let broker = database.upstash();
    let watch = broker.watch();
    watch.add(&channel("p1"), EventId::ZERO);
    watch.rest(&channel("p1"), true);
    tokio::time::sleep(Duration::from_secs(1)).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    tokio::time::resume();
    tokio::time::sleep(Duration::from_secs(1)).await;

    database.push(&channel("p1"), &[&event(1)]).await;
    broker.settle(&channel("p1")).await.unwrap();

    assert_eq!(numbers(&told(&watch, &channel("p1"), 1).await), [1]);
}

//! A Redis that is gone, slow or refuses: the answers are the same, only later.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tidings::{
    cache::{Cache, CacheSettings, Key},
    clock::Clock,
    telemetry::Metrics,
};

use super::{
    Source, checklist, id, patient, suite,
    upstash::{Database, client, process},
};
use crate::support::{Gate, Mood};

const REFUSES: [Mood; 4] = [
    Mood::Answer(503, ""),
    Mood::Answer(200, "<html>Please log in</html>"),
    Mood::Answer(401, r#"{"error":"WRONGPASS invalid or missing auth token"}"#),
    Mood::Answer(200, r#"{"result":[]}"#),
];

#[tokio::test]
async fn a_killed_redis_changes_no_answer() {
    let mut database = Database::start();
    let cache = process(&database.front.url, patient());
    let source = Source::default();
    source.read(&cache, &checklist("c1")).await;

    database.server.crash();

    assert_eq!(source.read(&cache, &checklist("c1")).await, 0);
    assert!(!cache.far_level().unwrap().read().is_up);
    suite::run_answers(&cache).await;
    database.server.start_again();
    let written = source.write();
    assert_eq!(source.read(&cache, &checklist("c1")).await, written);
    assert_eq!(source.read(&cache, &checklist("c1")).await, written);
    assert!(cache.far_level().unwrap().read().is_up);
}

#[tokio::test]
async fn a_redis_that_refuses_changes_no_answer() {
    let database = Database::start();
    for mood in REFUSES {
        let gate = Gate::before(&database.front.url).await;
        gate.be(mood);

        suite::run_answers(&process(&gate.url, patient())).await;

        assert!(gate.calls() > 10, "{mood:?}: it was asked {} times", gate.calls());
    }
}

#[tokio::test]
async fn a_slow_redis_costs_its_short_wait_once_and_is_then_left_alone() {
    let database = Database::start();
    let gate = Gate::before(&database.front.url).await;
    gate.be(Mood::Slow(Duration::from_secs(600)));
    let settings = CacheSettings {
        answer_within: Duration::from_millis(50),
        rests_for: Duration::from_secs(600),
        ..CacheSettings::default()
    };
    let metrics = Arc::<Metrics>::default();
    let cache = Cache::over(&client(&gate.url), Clock::System, Arc::clone(&metrics), settings);
    let source = Source::default();
    let began = Instant::now();

    for n in 0..50 {
        source.read(&cache, &checklist(&format!("c{n}"))).await;
    }

    assert_eq!((source.loads(), gate.calls()), (50, 1));
    assert!(began.elapsed() < Duration::from_secs(60), "nobody waits for Redis");
    let counted = r#"tidings_cache_failures_total{cache="doc_checklist"} 1"#;
    assert!(metrics.encode().contains(counted), "{}", metrics.encode());
}

#[tokio::test]
async fn what_nobody_writes_is_held_in_memory_while_redis_is_away() {
    let mut database = Database::start();
    database.server.crash();
    let cache = process(&database.front.url, patient());

    for key in [Key::requirements(&id("hip")), Key::health()] {
        let source = Source::default();
        for _ in 0..3 {
            source.read(&cache, &key).await;
        }

        assert_eq!(source.loads(), 1, "{key}");
    }
}

#[tokio::test]
async fn a_drop_that_redis_did_not_take_is_made_up_for() {
    for mood in REFUSES.into_iter().chain([Mood::LoseAnswer]) {
        let database = Database::start();
        let gate = Gate::before(&database.front.url).await;
        let [writer, other] = [&gate.url, &database.front.url].map(|url| process(url, patient()));
        let (source, key) = (Source::default(), checklist("c1"));
        source.read(&writer, &key).await;

        gate.be(mood);
        let written = source.write();
        writer.forget(&key).await;
        assert_eq!(source.read(&writer, &key).await, written, "while Redis is in {mood:?}");
        gate.be(Mood::Pass);

        assert_eq!(source.read(&writer, &key).await, written, "after {mood:?}");
        assert_eq!(source.read(&other, &key).await, written, "after {mood:?}, elsewhere");
    }
}

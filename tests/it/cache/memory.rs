//! The cache in memory: the suite, and what is counted.

use std::{sync::Arc, time::Duration};

use tidings::{
    cache::{Cache, CacheSettings, Key},
    telemetry::Metrics,
};

use super::{Source, checklist, id, patient, suite};

#[tokio::test]
async fn the_cache_in_memory_keeps_the_contract() {
    let short = CacheSettings { longest: Duration::from_millis(50), ..patient() };

    suite::run_all(&Cache::in_memory(Arc::default(), patient())).await;
    suite::a_value_ends_with_its_time(&Cache::in_memory(Arc::default(), short)).await;
}

#[tokio::test]
async fn what_comes_of_questions_is_counted_by_cache() {
    let metrics = Arc::<Metrics>::default();
    let cache = Cache::in_memory(Arc::clone(&metrics), patient());
    let source = Source::default();

    for _ in 0..3 {
        source.read(&cache, &checklist("case-4711")).await;
    }
    source.read(&cache, &Key::requirements(&id("hip"))).await;

    let text = metrics.encode();
    for line in [
        r#"tidings_cache_hits_total{cache="doc_checklist"} 2"#,
        r#"tidings_cache_misses_total{cache="doc_checklist"} 1"#,
        r#"tidings_cache_queries_saved_total{cache="doc_checklist"} 2"#,
        r#"tidings_cache_load_seconds_count{cache="doc_checklist"} 1"#,
        r#"tidings_cache_misses_total{cache="proc_reqs"} 1"#,
        r#"tidings_cache_hits_total{cache="conv_case"} 0"#,
        r#"tidings_cache_failures_total{cache="health"} 0"#,
    ] {
        assert!(text.lines().any(|counted| counted == line), "{line} is not in {text}");
    }
    assert!(!text.contains("4711"));
}

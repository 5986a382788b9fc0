//! What producers wait for, and what reading costs that others have pushed.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Router, routing::post};
use criterion::{Criterion, Throughput, criterion_group};
use secrecy::SecretString;
use serde_json::{Value, json};
use tidings::{
    broker::{
        Broker, Emitter, EmitterLimits, LOG_ENTRIES, MemoryBroker, MemoryLimits, UpstashBroker,
        UpstashSettings,
    },
    clock::Clock,
    event::{Channel, Id},
    telemetry::Metrics,
    upstash::RedisRest,
};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
};

use super::samples::{event, payload};

criterion_group!(benches, emit_progress, drained_log);

/// Events emitted in a row: fewer than the emitter keeps, so that none is dropped.
const IN_A_ROW: u64 = 500;

/// The caller's part of `emit_progress`; the rest goes on in the background and is waited for untimed.
fn emit_progress(criterion: &mut Criterion) {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let patient = Id::parse("p1").expect("an id");
    let emitter = runtime.block_on(async {
        let broker = Arc::new(MemoryBroker::new(Clock::System, MemoryLimits::default()));
        Emitter::start(broker, Clock::System, Arc::default(), EmitterLimits::default())
    });
    criterion.bench_function("emitter: emit_progress, as its caller waits", |bencher| {
        bencher.iter_custom(|iterations| {
            let mut spent = Duration::ZERO;
            for begun in (0..iterations).step_by(IN_A_ROW as usize) {
                let count = (iterations - begun).min(IN_A_ROW) as usize;
                let events: Vec<_> = (0..count).map(event).collect();
                let from = Instant::now();
                for event in events {
                    black_box(emitter.emit_progress(&patient, event));
                }
                spent += from.elapsed();
                assert!(runtime.block_on(emitter.flush(Duration::from_secs(10))), "the memory takes all");
            }
            spent
        });
    });
}

/// A drain and the read behind it, over REST on loopback: with a full log, and with an empty one to
/// subtract.
fn drained_log(criterion: &mut Criterion) {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let channel: Channel = "doc_progress:p1".parse().expect("a channel");
    let mut group = criterion.benchmark_group("redis: drain and read");
    for entries in [0, LOG_ENTRIES] {
        let broker = upstash(&runtime, answers(entries));
        group.throughput(Throughput::Elements(entries.max(1) as u64));
        group.bench_function(format!("{entries} entries"), |bencher| {
            bencher.iter(|| {
                let history = runtime.block_on(broker.history(&channel)).expect("an answer");
                assert_eq!(history.entries.len(), entries);
            });
        });
    }
    group.finish();
}

/// A broker over a server that always gives the same two answers: something waits, and what it was.
fn upstash(runtime: &Runtime, drained: String) -> UpstashBroker {
    let waits = json!([{ "result": 1 }, { "result": [] }]).to_string();
    let answer = move |body: String| async move {
        if body.contains("EXISTS") { waits.clone() } else { drained.clone() }
    };
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().route("/pipeline", post(answer));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let url = format!("http://{address}").parse().expect("a URL");
        let metrics = Arc::<Metrics>::default();
        let redis = RedisRest::new(url, SecretString::from("t"), Arc::clone(&metrics));
        UpstashBroker::new(redis, Clock::System, metrics, UpstashSettings::default())
    })
}

/// What Redis answers to the script, and to the read of a log of so many entries.
fn answers(entries: usize) -> String {
    let entry = |number: usize| {
        let payload = String::from_utf8_lossy(&payload(number)).into_owned();
        json!([format!("1763712000000-{number}"), ["d", payload]])
    };
    let entries: Value = (0..entries).map(entry).collect();
    json!([{ "result": [1, 0, 0, 0, 0, 5, []] }, { "result": entries }]).to_string()
}

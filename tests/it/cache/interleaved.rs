//! A write that comes between the steps of a load: whoever asks after it is told what was written.
//!
//! The write and the drop behind it are put at every two steps of a load, in the same process and in another
//! one. Between them a reader may still be told the earlier value; after the drop nobody is.

use std::{convert::Infallible, sync::Arc};

use tidings::cache::{Cache, Key};
use tokio::sync::mpsc::Receiver;

use super::{
    Source, Value, checklist, patient,
    upstash::{Database, process},
};
use crate::support::{Gate, gate::Held};

/// Who writes, and at which steps of a load.
struct Writer {
    cache: Cache,
    source: Source,
    key: Key,
    writes_at: usize,
    drops_at: usize,
}

impl Writer {
    /// The load has come to `step`.
    async fn at(&self, step: usize) {
        if step == self.writes_at {
            self.source.write();
        }
        if step == self.drops_at {
            self.cache.forget(&self.key).await;
        }
    }

    /// A load that reads its source between two steps.
    async fn load(&self, before: usize, behind: usize) -> Result<Option<Value>, Infallible> {
        self.at(before).await;
        let loaded = self.source.load().await;
        self.at(behind).await;
        loaded
    }
}

fn pairs(steps: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..steps).flat_map(move |writes_at| (writes_at..steps).map(move |drops_at| (writes_at, drops_at)))
}

#[tokio::test]
async fn a_write_within_a_load_leaves_no_earlier_value_in_memory() {
    for (writes_at, drops_at) in pairs(4) {
        let cache = Cache::in_memory(Arc::default(), patient());
        let (source, key) = (Source::default(), checklist("c1"));
        let writer = Writer { cache: cache.clone(), source, key: key.clone(), writes_at, drops_at };

        writer.at(0).await;
        cache.get_or_load(&key, writer.load(1, 2)).await.unwrap();
        writer.at(3).await;

        assert_eq!(writer.source.read(&cache, &key).await, 1, "written {writes_at}, dropped {drops_at}");
    }
}

#[tokio::test]
async fn a_write_within_a_load_leaves_no_earlier_value_in_redis() {
    let database = Database::start();
    for is_same_process in [true, false] {
        for (writes_at, drops_at) in pairs(6) {
            let gate = Gate::before(&database.front.url).await;
            let [gated, direct] = [&gate.url, &database.front.url].map(|url| process(url, patient()));
            let key = checklist(&format!("{writes_at}.{drops_at}.{is_same_process}"));
            let cache = if is_same_process { gated.clone() } else { direct.clone() };
            let source = Source::default();
            let writer = Arc::new(Writer { cache, source, key: key.clone(), writes_at, drops_at });

            writer.at(0).await;
            let stepping = tokio::spawn(step_through(gate.step().await, Arc::clone(&writer)));
            gated.get_or_load(&key, writer.load(2, 3)).await.unwrap();
            gate.stop_stepping().await;
            stepping.await.unwrap();
            writer.at(5).await;

            for cache in [&gated, &direct] {
                assert_eq!(writer.source.read(cache, &key).await, 1, "{key}");
            }
        }
    }
}

/// Puts the writer's steps before the look at Redis and before what is loaded is stored there.
async fn step_through(mut calls: Receiver<Held>, writer: Arc<Writer>) {
    while let Some(call) = calls.recv().await {
        let step = if call.has("MGET") { 1 } else { 4 };
        // A drop in the same process comes through the gate too, while the call it came between is held.
        if call.has("DEL") {
            call.go_on();
        } else {
            let writer = Arc::clone(&writer);
            tokio::spawn(async move {
                writer.at(step).await;
                call.go_on();
            });
        }
    }
}

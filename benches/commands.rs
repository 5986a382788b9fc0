//! What Redis is asked for, counted by a real Redis: the budget table of docs/cost.md.
//!
//!     make bench-commands
//!
//! Takes about ten minutes, as streams of five minutes take five minutes. Commands are those of
//! `INFO commandstats`, which counts calls inside scripts as Upstash bills them; bytes are those of
//! REST bodies. Ends with an error when a budget does not hold.

#[allow(dead_code, unused_imports, reason = "the tests use the rest")]
#[path = "../tests/it/support/redis.rs"]
mod redis_server;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/it/support/server.rs"]
mod server;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/it/support/site.rs"]
mod site;

use std::{process::ExitCode, sync::Arc, time::Duration};

use futures::{StreamExt, future::join_all};
use redis_server::{Redis, RedisRest as Front};
use secrecy::SecretString;
use serde_json::json;
use server::Server;
use tidings::{
    telemetry::Metrics,
    upstash::{Command, RedisRest},
};
use tokio::time::{Instant, interval, sleep};

const STAGES: [&str; 6] = [
    "upload_received",
    "ocr_started",
    "ocr_complete",
    "analysis_started",
    "analysis_complete",
    "matching_complete",
];
const POLL: [(&str, &str); 0] = [];
const WAKE: [(&str, &str); 1] = [("UPSTASH_WAKE", "on")];
const WAKE_LOG: [(&str, &str); 2] = [("UPSTASH_WAKE", "on"), ("UPSTASH_EMIT", "log")];
/// Sessions of the larger rows.
const MANY: usize = 100;
const SHORT: Duration = Duration::from_secs(20);
const LONG: Duration = Duration::from_secs(300);

/// What one measurement took.
#[derive(Clone, Copy)]
struct Cost {
    commands: f64,
    kilobytes: f64,
}

/// A Redis, the front before it, and a server over both.
struct Deployment {
    redis: Redis,
    _front: Front,
    server: Server,
}

impl Deployment {
    fn start(settings: &[(&str, &str)]) -> Self {
        let redis = Redis::start();
        let front = Front::with_token(&redis, "t");
        let database = [
            ("UPSTASH_REDIS_REST_URL", front.url.as_str()),
            ("UPSTASH_REDIS_REST_TOKEN", "t"),
            ("STREAM_MAX_SECONDS", "3600"),
        ];
        let server = Server::start(&[&database, settings].concat());
        Self { redis, _front: front, server }
    }

    /// Opens the stream of each patient, and reads it in the background until it ends.
    async fn watch(&self, patients: usize, query: &str) -> Vec<tokio::task::JoinHandle<()>> {
        let mut viewers = Vec::new();
        for patient in 0..patients {
            let stream = self.server.get(&format!("/api/v1/patients/p{patient}/documents/stream{query}"));
            let mut body = stream.send().await.unwrap().bytes_stream();
            body.next().await;
            viewers.push(tokio::spawn(async move { while let Some(Ok(_)) = body.next().await {} }));
        }
        viewers
    }

    /// Emits six stages for each patient, spread over `lasts`.
    async fn emit(&self, patients: usize, lasts: Duration) {
        let mut ticks = interval(lasts / 6);
        for stage in STAGES {
            ticks.tick().await;
            for patient in 0..patients {
                let event =
                    json!({ "patient_id": format!("p{patient}"), "document_id": "d1", "stage": stage });
                let answer = self.server.post("/api/v1/progress", &event).send().await.unwrap();
                assert_eq!(answer.status(), 202);
            }
        }
    }

    async fn bytes(&self) -> f64 {
        let text = self.server.get("/metrics").send().await.unwrap().text().await.unwrap();
        let lines = text.lines().filter(|line| line.starts_with("tidings_redis_bytes_total{"));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    /// Counts what `work` takes.
    async fn measure(&self, work: impl Future<Output = ()>) -> Cost {
        let (commands, bytes) = (self.redis.commands().await, self.bytes().await);
        work.await;
        let commands = self.redis.commands().await - commands;
        Cost { commands: commands as f64, kilobytes: (self.bytes().await - bytes) / 1_000.0 }
    }
}

/// An idle process that watches `channels`, for `lasts`; its beginning is left out.
async fn idle(settings: &[(&str, &str)], channels: usize, lasts: Duration) -> Cost {
    let deployment = Deployment::start(settings);
    let viewers = deployment.watch(channels, "").await;
    sleep(Duration::from_secs(3)).await;
    let cost = deployment.measure(sleep(lasts)).await;
    viewers.iter().for_each(tokio::task::JoinHandle::abort);
    cost
}

/// Sessions of six stages side by side: connect, six events each, `done`.
async fn sessions(settings: &[(&str, &str)], count: usize, lasts: Duration) -> Cost {
    let deployment = Deployment::start(settings);
    deployment
        .measure(async {
            let viewers = deployment.watch(count, "").await;
            deployment.emit(count, lasts).await;
            join_all(viewers).await;
        })
        .await
}

/// Streams that stay open for all of `lasts`, as a patient's page does.
async fn open_streams(settings: &[(&str, &str)], count: usize, lasts: Duration) -> Cost {
    let deployment = Deployment::start(settings);
    deployment
        .measure(async {
            let begun = Instant::now();
            let viewers = deployment.watch(count, "?follow=1").await;
            deployment.emit(count, SHORT).await;
            sleep(lasts.saturating_sub(begun.elapsed())).await;
            viewers.iter().for_each(tokio::task::JoinHandle::abort);
        })
        .await
}

/// The naive design: a loop of its own per viewer that pops its list every 300 ms, and producers
/// that push and set the expiry.
async fn naive(count: usize, lasts: Duration) -> Cost {
    let redis = Redis::start();
    let front = Front::with_token(&redis, "t");
    let metrics = Arc::<Metrics>::default();
    let client = RedisRest::new(front.url.parse().unwrap(), SecretString::from("t"), Arc::clone(&metrics));
    let viewer = async |patient: usize| {
        let mut ticks = interval(Duration::from_millis(300));
        let ends_at = Instant::now() + lasts;
        while ticks.tick().await < ends_at {
            let pop = Command::new("LPOP").arg(format!("doc_progress:p{patient}")).arg(100);
            client.command(&pop).await.unwrap();
        }
    };
    let producers = async {
        let mut ticks = interval(lasts.min(SHORT) / 6);
        for stage in STAGES {
            ticks.tick().await;
            for patient in 0..count {
                let list = format!("doc_progress:p{patient}");
                let event = json!({ "document_id": "d1", "stage": stage }).to_string();
                let push = Command::new("RPUSH").arg(list.clone()).arg(event);
                client.pipeline(&[push, Command::new("EXPIRE").arg(list).arg(600)]).await.unwrap();
            }
        }
    };
    let before = redis.commands().await;
    tokio::join!(join_all((0..count).map(viewer)), producers);
    let commands = redis.commands().await - before;
    let text = metrics.encode();
    let bytes = text.lines().filter(|line| line.starts_with("tidings_redis_bytes_total{"));
    let bytes: f64 = bytes.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum();
    Cost { commands: commands as f64, kilobytes: bytes / 1_000.0 }
}

/// Prints rows and remembers whether each budget held.
struct Table {
    holds: bool,
}

impl Table {
    /// One row: what it took, per `unit`, and the most it may take.
    fn row(&mut self, what: &str, cost: Cost, per: f64, unit: &str, most: Option<f64>) {
        let commands = cost.commands / per;
        let budget = most.map_or_else(String::new, |most| format!("at most {most}"));
        let verdict = if most.is_some_and(|most| commands > most) { "  EXCEEDED" } else { "" };
        let kilobytes = cost.kilobytes / per;
        println!("| {what} | {commands:.1} {unit} | {kilobytes:.1} kB | {budget} |{verdict}");
        self.holds &= verdict.is_empty();
    }

    /// How often cheaper one cost is than another, and the least it must be.
    fn ratio(&mut self, what: &str, dear: Cost, cheap: Cost, least: f64) {
        let ratio = dear.commands / cheap.commands;
        let verdict = if ratio < least { "  EXCEEDED" } else { "" };
        println!("| {what} | {ratio:.1} times fewer | | at least {least} times |{verdict}");
        self.holds &= verdict.is_empty();
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut table = Table { holds: true };
    println!("| what | commands | bytes of REST bodies | budget |\n| --- | --- | --- | --- |");

    let seconds = 12.0;
    let nobody = idle(&POLL, 0, Duration::from_secs(12)).await;
    table.row("no viewer", nobody, seconds, "a second", Some(0.0));
    for channels in [1, 100, 1_000] {
        let cost = idle(&POLL, channels, Duration::from_secs(12)).await;
        table.row(&format!("idle, poll, {channels} channels"), cost, seconds, "a second", Some(7.0));
    }
    for channels in [1, 1_000] {
        let cost = idle(&WAKE, channels, Duration::from_secs(100)).await;
        table.row(&format!("idle, wake, {channels} channels"), cost, 100.0 / 60.0, "a minute", Some(4.0));
    }

    let moment = Duration::from_secs(6);
    let one = sessions(&WAKE_LOG, 1, moment).await;
    table.row("one session of six stages, wake + log", one, 1.0, "in all", Some(18.0));
    let one = sessions(&WAKE, 1, moment).await;
    table.row("one session of six stages, wake", one, 1.0, "in all", None);
    let one_polled = sessions(&POLL, 1, SHORT).await;
    table.row("one session of 20 s, poll: one viewer per process", one_polled, 1.0, "in all", None);
    let one_naive = naive(1, SHORT).await;
    table.row("the same with an LPOP loop", one_naive, 1.0, "in all", None);

    let naive_short = naive(MANY, SHORT).await;
    table.row("100 sessions of 20 s, LPOP loops", naive_short, 1.0, "in all", None);
    let polled = sessions(&POLL, MANY, SHORT).await;
    table.row("100 sessions of 20 s, poll", polled, 1.0, "in all", None);
    table.ratio("that is", naive_short, polled, 2.0);
    let woken = sessions(&WAKE_LOG, MANY, SHORT).await;
    table.row("100 sessions of 20 s, wake + log", woken, 1.0, "in all", None);

    let (naive_long, polled, woken) =
        tokio::join!(naive(MANY, LONG), open_streams(&POLL, MANY, LONG), open_streams(&WAKE_LOG, MANY, LONG));
    table.row("100 streams open 5 minutes, LPOP loops", naive_long, 1.0, "in all", None);
    table.row("100 streams open 5 minutes, poll", polled, 1.0, "in all", None);
    table.ratio("that is", naive_long, polled, 10.0);
    table.row("100 streams open 5 minutes, wake + log", woken, 1.0, "in all", None);

    if table.holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

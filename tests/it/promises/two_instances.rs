//! Two instances over one Redis: what a stranger pushes reaches every viewer once, also when one dies.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{
    Server, Viewer,
    redis::{Redis, RedisRest},
    viewer::Message,
};

const PATIENTS: usize = 5;
const VIEWERS_EACH: usize = 4;
const EVENTS: usize = 60;
/// What the official SDK pushes, to one patient with this many viewers.
const MANY_EVENTS: usize = 2_000;
const MANY_VIEWERS: usize = 200;
const BATCH: usize = 100;

/// A viewer that moves to the other instance when its own ends.
struct Wanderer {
    urls: [String; 2],
    patient: usize,
    /// How many events there are to see.
    events: usize,
    seen: Vec<u64>,
    gaps: usize,
    last_id: Option<String>,
    /// Counts what all viewers have seen.
    total: Arc<AtomicUsize>,
}

impl Wanderer {
    async fn open(&self) -> Option<Viewer> {
        let http = reqwest::Client::new();
        for url in &self.urls {
            let stream = format!("{url}/api/v1/patients/p{}/documents/stream?follow=1", self.patient);
            let mut request = http.get(stream);
            if let Some(id) = &self.last_id {
                request = request.header("Last-Event-ID", id);
            }
            if let Ok(answer) = request.try_clone().unwrap().send().await
                && answer.status() == 200
            {
                drop(answer);
                return Some(Viewer::open(request).await);
            }
        }
        None
    }

    fn new(
        urls: &[String; 2],
        which: usize,
        patient: usize,
        events: usize,
        total: &Arc<AtomicUsize>,
    ) -> Self {
        let mut urls = urls.clone();
        urls.rotate_left(which % 2);
        Self { urls, patient, events, seen: vec![], gaps: 0, last_id: None, total: Arc::clone(total) }
    }

    /// Connects once, as a browser that was there before anything happened: it knows where it began.
    async fn connect(&mut self) {
        let mut viewer = self.open().await.unwrap();
        viewer.until("connected").await;
        self.last_id.clone_from(&viewer.last_id);
    }

    fn take(&mut self, message: &Message) {
        self.gaps += usize::from(message.data["gap"] == true);
        if let Some(n) = message.data["n"].as_u64() {
            self.seen.push(n);
            self.total.fetch_add(1, SeqCst);
        }
    }

    /// Reads until all events are seen, over as many streams as it takes.
    async fn read_all(mut self) -> Self {
        while self.seen.len() < self.events {
            let Some(mut viewer) = self.open().await else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            while self.seen.len() < self.events
                && let Some(message) = viewer.next().await
            {
                self.take(&message);
                self.last_id.clone_from(&viewer.last_id);
            }
        }
        self
    }
}

fn instance(redis_url: &str, settings: &[(&str, &str)]) -> Server {
    let database = [("UPSTASH_REDIS_REST_URL", redis_url), ("UPSTASH_REDIS_REST_TOKEN", "t")];
    Server::start(&[&database, settings].concat())
}

async fn push(redis: &Redis, range: std::ops::Range<usize>) {
    for n in range {
        for patient in 0..PATIENTS {
            let event = json!({ "document_id": format!("d{}", n % 3), "stage": "ocr_started", "n": n });
            let list = format!("doc_progress:p{patient}");
            redis.push(&list, &event.to_string()).await;
            redis.publish("tidings:wake", &list).await;
        }
    }
}

async fn all_is_seen_once(viewers: Vec<tokio::task::JoinHandle<Wanderer>>, within: Duration) {
    for viewer in viewers {
        let viewer = tokio::time::timeout(within, viewer).await.unwrap().unwrap();
        assert_eq!(viewer.seen, (0..viewer.events as u64).collect::<Vec<_>>());
        assert_eq!(viewer.gaps, 0);
    }
}

async fn one_is_killed(settings: &[(&str, &str)]) {
    let redis = Redis::start();
    let front = RedisRest::with_token(&redis, "t");
    let (first, second) = (instance(&front.url, settings), instance(&front.url, settings));
    let urls = [first.url.clone(), second.url.clone()];
    let mut viewers = Vec::new();
    for n in 0..PATIENTS * VIEWERS_EACH {
        let mut wanderer = Wanderer::new(&urls, n, n % PATIENTS, EVENTS, &Arc::default());
        wanderer.connect().await;
        viewers.push(tokio::spawn(wanderer.read_all()));
    }

    push(&redis, 0..EVENTS / 2).await;
    first.crash();
    push(&redis, EVENTS / 2..EVENTS).await;

    all_is_seen_once(viewers, Duration::from_secs(30)).await;
}

#[tokio::test]
async fn every_viewer_of_two_instances_sees_every_event_once_though_one_is_killed() {
    one_is_killed(&[]).await;
}

#[tokio::test]
async fn the_same_holds_where_they_are_woken() {
    one_is_killed(&[("UPSTASH_WAKE", "on")]).await;
}

/// The official SDK in a process of its own; killed when dropped.
struct Sdk {
    process: Child,
    told: ChildStdin,
    says: BufReader<ChildStdout>,
}

impl Sdk {
    fn start(url: &str, list: &str) -> Self {
        let clients = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");
        let sdk = std::path::Path::new(clients).join("node_modules/@upstash/redis");
        assert!(sdk.is_dir(), "the official client is missing: make setup");
        let mut process = Command::new("node")
            .current_dir(clients)
            .args(["push_events.mjs", url, "t", list, &BATCH.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("node cannot be started ({error}): make setup"));
        let (told, says) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        Self { process, told, says }
    }

    fn begin_batch(&mut self) {
        self.told.write_all(b"\n").unwrap();
    }

    fn end_batch(&mut self, pushed: usize) {
        let mut line = String::new();
        self.says.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), pushed.to_string());
    }
}

impl Drop for Sdk {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_viewers_see_two_thousand_events_of_the_official_sdk() {
    let redis = Redis::start();
    let front = RedisRest::with_token(&redis, "t");
    let (first, second) = (instance(&front.url, &[]), instance(&front.url, &[]));
    let urls = [first.url.clone(), second.url.clone()];
    let total = Arc::<AtomicUsize>::default();
    let mut viewers = Vec::new();
    for n in 0..MANY_VIEWERS {
        let mut wanderer = Wanderer::new(&urls, n, 0, MANY_EVENTS, &total);
        wanderer.connect().await;
        viewers.push(tokio::spawn(wanderer.read_all()));
    }
    let mut sdk = Sdk::start(&front.url, "doc_progress:p0");
    let mut first = Some(first);

    for batch in 1..=MANY_EVENTS / BATCH {
        sdk.begin_batch();
        if batch == MANY_EVENTS / BATCH / 2 {
            // While its batch is on its way.
            drop(first.take().map(Server::crash));
        }
        sdk.end_batch(batch * BATCH);
        // A log holds 512: nobody may fall further behind than that, or is told of a gap.
        let begun = Instant::now();
        while total.load(SeqCst) < MANY_VIEWERS * BATCH * (batch - 1) {
            assert!(begun.elapsed() < Duration::from_secs(60), "{} are seen", total.load(SeqCst));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    all_is_seen_once(viewers, Duration::from_secs(120)).await;
}

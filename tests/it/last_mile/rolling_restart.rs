//! A deployment: two instances behind nginx restart one after the other, under load.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use futures::future::join_all;
use reqwest::Client;
use serde_json::json;
use tokio::{
    sync::watch,
    time::{interval, sleep, timeout},
};

use crate::support::{
    Database, Follower, Nginx, Redis, RedisRest, Server,
    redis::free_port,
    tokens::{self, KEYS, SERVICE_KEY},
};

const PATIENTS: usize = 50;
const VIEWERS: usize = 500;
/// Of each patient; all together 200 a second.
const EVENTS_A_SECOND: u64 = 4;
const SECONDS: u64 = 20;
const EVENTS: u64 = EVENTS_A_SECOND * SECONDS;
/// What a person should not have to wait for; measured, and told to viewers.
const AWAY_AT_MOST: Duration = Duration::from_secs(3);
/// For machines that do something else as well.
const PATIENCE: Duration = Duration::from_secs(90);

/// Publishes a patient's events in order, each until it is taken; counts the tries that failed.
async fn produce(http: Client, url: String, patient: usize, failed: Arc<AtomicUsize>) {
    let mut ticks = interval(Duration::from_millis(1_000 / EVENTS_A_SECOND));
    for n in 0..EVENTS {
        ticks.tick().await;
        let event = json!({
            "patient_id": format!("p{patient}"), "document_id": "d1", "stage": "ocr_started",
            "event_id": format!("p{patient}-{n}"), "n": n,
        });
        loop {
            let request = http.post(format!("{url}/api/v1/progress")).bearer_auth(SERVICE_KEY).json(&event);
            if request.send().await.is_ok_and(|answer| answer.status() == 202) {
                break;
            }
            failed.fetch_add(1, SeqCst);
            sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Ends an instance as a deployment does, and starts the next version in its place.
async fn restart(instance: &mut Server, environment: &[(&str, &str)]) -> Duration {
    let begun = Instant::now();
    instance.terminate();
    assert!(instance.ended(PATIENCE).await.unwrap().success(), "{}", instance.log());
    *instance = Server::start(environment);
    while instance.get("/readyz").send().await.unwrap().status() != 200 {
        sleep(Duration::from_millis(50)).await;
    }
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_under_load_loses_and_doubles_nothing() {
    let redis = Redis::start();
    let (front, database) = (RedisRest::with_token(&redis, "t"), Database::new().await);
    let ports = [free_port(), free_port()].map(|port| port.to_string());
    let environment = |port| {
        let parts = [("DATABASE_URL", &*database.url), ("UPSTASH_REDIS_REST_URL", &*front.url)];
        [&KEYS[..], &parts, &[("UPSTASH_REDIS_REST_TOKEN", "t"), ("PORT", port)]].concat()
    };
    let mut instances = [Server::start(&environment(&ports[0])), Server::start(&environment(&ports[1]))];
    let nginx = Nginx::by_recipe([&instances[0].url, &instances[1].url]);
    let token: &'static str = Box::leak(tokens::viewer(&["doc_progress:*"]).into_boxed_str());
    let one_connection_each = nginx.client_over_http_1();
    let (followers, connected): (Vec<_>, Vec<_>) = (0..VIEWERS)
        .map(|viewer| {
            let patient = viewer % PATIENTS;
            let url =
                format!("{}/api/v1/patients/p{patient}/documents/stream?follow=1&token={token}", nginx.url);
            let (connected, is_connected) = watch::channel(false);
            let http = one_connection_each.clone();
            (tokio::spawn(Follower::follow(http, url, token, EVENTS, connected)), is_connected)
        })
        .unzip();
    for mut connected in connected {
        connected.wait_for(|is_connected| *is_connected).await.expect("a viewer failed");
    }

    let failed = Arc::<AtomicUsize>::default();
    let produce = |patient| produce(nginx.client(), nginx.url.clone(), patient, Arc::clone(&failed));
    let producing = join_all((0..PATIENTS).map(produce));
    let deploying = async {
        let mut took = Vec::new();
        for (instance, port) in instances.iter_mut().zip(&ports) {
            sleep(Duration::from_secs(SECONDS / 5)).await;
            took.push(restart(instance, &environment(port)).await);
        }
        took
    };
    let (_, restarts) = timeout(PATIENCE, async { tokio::join!(producing, deploying) }).await.unwrap();
    let followers = timeout(PATIENCE, join_all(followers)).await.unwrap();

    let all: Vec<_> = (0..EVENTS).collect();
    let (mut away, mut returns, mut ends) = (Vec::new(), BTreeSet::new(), BTreeMap::new());
    let begun = Instant::now();
    for follower in followers {
        let follower = follower.unwrap();
        assert_eq!((&follower.seen, follower.gaps), (&all, 0), "{:?}", follower.ends);
        returns.extend(follower.returns.iter().map(|at| begun.duration_since(*at).as_millis() / 250));
        away.extend(follower.away);
        follower.ends.into_iter().for_each(|reason| *ends.entry(reason).or_insert(0) += 1);
    }
    away.sort_unstable();
    let at = |percent| away[(away.len() - 1) * percent / 100];
    eprintln!(
        "rolling restart: {VIEWERS} viewers, {} events a second, restarts took {restarts:?}; streams ended \
         {ends:?}; away p50 {:?}, p99 {:?}, most {:?}; returns fell into {} quarters of a second; \
         {} of {} posts were tried again",
        PATIENTS as u64 * EVENTS_A_SECOND,
        at(50),
        at(99),
        at(100),
        returns.len(),
        failed.load(SeqCst),
        PATIENTS as u64 * EVENTS,
    );
    assert!(away.len() >= VIEWERS * 9 / 10, "each instance had its viewers: {}", away.len());
    assert!(returns.len() >= 12, "returns are spread: {returns:?}");
    assert!(at(99) < AWAY_AT_MOST * 3, "on a busy machine: {:?}", at(99));
    assert!(!nginx.logs().contains(token), "no token is logged, also where an instance was away");
}

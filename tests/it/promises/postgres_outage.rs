//! Postgres goes away and comes back: steps still come, and the outcome is right when it is back.

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::{Value, json};
use sqlx::pool::PoolConnection;

use crate::support::{
    Cutter, Postgres, Server, Viewer,
    documents::{STAGES, confirm, emit, put},
    program,
    redis::{Redis, RedisRest},
    viewer::Message,
};

const STREAM: &str = "/api/v1/patients/p1/documents/stream?follow=1";
/// Each move of a document waits for a lock that the test holds; a crash lets go of it.
const HOLD_MOVES: &str = "
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NEW; END $$;
CREATE TRIGGER hold BEFORE UPDATE ON documents FOR EACH ROW EXECUTE FUNCTION hold()";

/// A document under way that moves no further while the lock is held.
struct Held {
    server: Server,
    document: String,
    viewer: Viewer,
    _lock: PoolConnection<sqlx::Postgres>,
}

impl Held {
    async fn over(postgres: &Postgres) -> Self {
        let url = postgres.create("tidings").await;
        let server = Server::start(&[("DATABASE_URL", &url), ("STATUS_INTERVAL_MS", "300")]);
        let database = sqlx::PgPool::connect(&url).await.unwrap();
        sqlx::raw_sql(HOLD_MOVES).execute(&database).await.unwrap();
        let mut lock = database.acquire().await.unwrap();
        sqlx::raw_sql("SELECT pg_advisory_lock(1)").execute(&mut *lock).await.unwrap();
        let document = put(&server, "p1", "lab_report.pdf").await;
        let mut viewer = Viewer::open(server.get(STREAM)).await;
        viewer.until("connected").await;
        confirm(&server, &document).await;
        viewer.until("progress").await;
        Self { server, document, viewer, _lock: lock }
    }
}

async fn ready(server: &Server) -> (u16, Value) {
    let answer = server.get("/readyz").send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Reads on until all of these sources have said that they are in this state.
async fn until_source(viewer: &mut Viewer, names: &[&str], state: &str) {
    let mut missing = names.to_vec();
    while !missing.is_empty() {
        let told = viewer.until("source").await;
        missing.retain(|name| told.data != json!({ "source": name, "state": state }));
    }
}

/// Reads on to the `done` that shows this document.
async fn until_done_with(viewer: &mut Viewer, document: &str) -> (Vec<Message>, Value) {
    let mut seen = Vec::new();
    loop {
        let message = viewer.next().await.expect("the stream goes on");
        let mut ended = message.data["documents"].as_array().into_iter().flatten();
        let found = ended.find(|ended| ended["document_id"] == document).cloned();
        match found.filter(|_| message.name == "done") {
            Some(ended) => return (seen, ended),
            None => seen.push(message),
        }
    }
}

#[tokio::test]
async fn steps_come_while_postgres_is_down_and_work_under_way_ends_after_it() {
    let mut postgres = Postgres::start();
    let Held { server, document, mut viewer, _lock } = Held::over(&postgres).await;

    postgres.crash();
    until_source(&mut viewer, &["postgres"], "down").await;
    for stage in STAGES {
        emit(&server, "p1", "d2", stage).await;
    }
    let mut steps = Vec::new();
    while steps.len() < STAGES.len() {
        let step = viewer.until("progress").await;
        steps.extend((step.text("document_id") == "d2").then(|| step.text("stage")));
    }
    assert_eq!(steps, STAGES);
    let (status, body) = ready(&server).await;
    assert_eq!((status, &body["sources"]["postgres"]["state"]), (503, &json!("down")));
    assert!(body["sources"]["postgres"]["cure"].as_str().unwrap().contains("tidings check"), "{body}");

    postgres.start_again();
    let (seen, ended) = until_done_with(&mut viewer, &document).await;

    assert_eq!(ended["status"], "complete");
    assert!(seen.iter().any(|message| message.data == json!({ "source": "postgres", "state": "up" })));
    let update = seen.iter().rfind(|message| message.name == "document_update").unwrap();
    assert_eq!((update.text("document_id"), update.text("status")), (document, "complete".into()));
    assert_eq!(ready(&server).await.0, 200);
}

#[tokio::test]
async fn an_outage_that_outlasts_every_try_fails_no_document() {
    let mut postgres = Postgres::start();
    let Held { server, document, mut viewer, _lock } = Held::over(&postgres).await;

    postgres.crash();
    let mut seen = Vec::new();
    let crashed = Instant::now();
    while !server.log().contains("left until the store is back") {
        assert!(crashed.elapsed() < Duration::from_secs(240), "{}", server.log());
        seen.push(viewer.next().await.expect("the stream goes on"));
    }
    postgres.start_again();
    let (rest, ended) = until_done_with(&mut viewer, &document).await;

    seen.extend(rest);
    assert_eq!(ended["status"], "complete");
    assert!(seen.iter().all(|message| message.text("status") != "failed"), "{seen:?}");
}

#[tokio::test]
async fn both_sources_go_down_and_come_back() {
    let mut postgres = Postgres::start();
    let mut redis = Redis::start();
    let front = RedisRest::with_token(&redis, "t");
    let url = postgres.create("tidings").await;
    let server = Server::start(&[
        ("DATABASE_URL", &url),
        ("STATUS_INTERVAL_MS", "300"),
        ("UPSTASH_REDIS_REST_URL", &front.url),
        ("UPSTASH_REDIS_REST_TOKEN", "t"),
    ]);
    let document = put(&server, "p1", "lab_report.pdf").await;
    let mut viewer = Viewer::open(server.get(STREAM)).await;
    viewer.until("connected").await;

    postgres.crash();
    redis.crash();
    until_source(&mut viewer, &["postgres", "redis"], "down").await;
    redis.start_again();
    postgres.start_again();
    until_source(&mut viewer, &["postgres", "redis"], "up").await;
    confirm(&server, &document).await;
    let (_, ended) = until_done_with(&mut viewer, &document).await;

    assert_eq!(ended["status"], "complete");
}

#[tokio::test]
async fn a_request_that_needs_postgres_is_told_so_and_works_again_after_it() {
    let mut postgres = Postgres::start();
    let url = postgres.create("tidings").await;
    let server = Server::start(&[("DATABASE_URL", &url)]);
    let document = put(&server, "p1", "lab_report.pdf").await;

    postgres.crash();
    let asked = Instant::now();
    let list = server.get("/api/v1/patients/p1/documents").send().await.unwrap();
    let confirmed = server.post("/api/v1/uploads/confirm", &json!({ "document_id": document })).send().await;
    let took = asked.elapsed();
    let checked = program::run(&["check"], &[("DATABASE_URL", &url), ("DATABASE_DIRECT_URL", &url)]).await;
    let started = program::run(&["serve"], &[("DATABASE_URL", &url), ("PORT", "0")]).await;
    postgres.start_again();
    let healthy = program::run(&["check"], &[("DATABASE_URL", &url)]).await;
    confirm(&server, &document).await;

    assert_eq!((list.status().as_u16(), confirmed.unwrap().status().as_u16()), (503, 503));
    assert!(took < Duration::from_secs(20), "{took:?}");
    let text = String::from_utf8(checked.stdout).unwrap();
    let line = text.lines().find(|line| line.contains("documents")).unwrap();
    assert!(line.starts_with("FAIL") && line.contains("DATABASE_URL"), "{line}");
    assert!(line.contains("postgres at 127.0.0.1") && line.contains("is the server up"), "{line}");
    assert!(text.lines().any(|line| line.starts_with("FAIL  migrations (DATABASE_DIRECT_URL)")), "{text}");
    let line = String::from_utf8(started.stderr).unwrap();
    assert!(line.lines().count() == 1 && line.contains("DATABASE_URL"), "{line}");
    let line = String::from_utf8(healthy.stdout).unwrap();
    assert!(healthy.status.success() && line.contains("ok    documents: postgres at"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_network_to_postgres_holds_nothing_up_for_ever() {
    let postgres = Postgres::start();
    let direct = postgres.create("tidings").await;
    let address = direct.split(['@', '/']).nth(3).unwrap();
    let network = Cutter::before(&format!("http://{address}")).await;
    let url = direct.replace(address, network.url.trim_start_matches("http://"));
    let server = Server::start(&[("DATABASE_URL", &url), ("STATUS_INTERVAL_MS", "300")]);
    let document = put(&server, "p1", "lab_report.pdf").await;
    let mut viewer = Viewer::open(server.get(STREAM)).await;
    viewer.until("connected").await;
    // So that many connections are open when the network falls silent.
    let lists = || (0..8).map(|_| server.get("/api/v1/patients/p1/documents").send());
    join_all(lists()).await;

    network.stall();
    let answers = join_all(lists()).await;
    until_source(&mut viewer, &["postgres"], "down").await;
    network.mend();
    until_source(&mut viewer, &["postgres"], "up").await;
    confirm(&server, &document).await;
    let (_, ended) = until_done_with(&mut viewer, &document).await;

    assert!(answers.into_iter().all(|answer| answer.unwrap().status() == 503));
    assert_eq!(ended["status"], "complete");
}

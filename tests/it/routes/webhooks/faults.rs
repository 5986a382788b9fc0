//! Wrong clocks, crashes and a locked database.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;
use tidings::{
    clock::Clock,
    qstash_dev::{QStashDev, QueueSettings, Signer},
    upstash::{DEVELOPMENT_KEYS, DEVELOPMENT_TOKEN},
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::world::{TEXT, WITHIN, World, callback, callback_of, outcome, read};
use crate::support::{
    Database, Server, Viewer,
    documents::{confirm, put, read_named},
    ocr::{OcrEnvironment, Relay},
    queue::Destination,
};

/// A clock that differs from the server's by so many seconds.
fn clock_off_by(seconds: i64) -> Clock {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    Clock::following_timers(Duration::from_secs(now.saturating_add_signed(seconds)))
}

impl World {
    /// Kills the server and starts it in the same folder.
    pub(super) fn crash_and_restart(self) -> Self {
        let Self { server, queue, environment } = self;
        let server = Server::start_in(server.crash(), &environment.pairs());
        Self { server, queue, environment }
    }
}

#[tokio::test]
async fn a_server_whose_clock_is_behind_is_tried_again_and_the_log_names_the_clock() {
    let public = Relay::start().await;
    let settings = QueueSettings {
        token: DEVELOPMENT_TOKEN.into(),
        current_key: DEVELOPMENT_KEYS[0].into(),
        next_key: DEVELOPMENT_KEYS[1].into(),
        time_scale: 0.001,
        // Whole seconds are told, and one may be cut: 94 and 95 both begin with 9.
        clock: clock_off_by(95),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let queue = format!("http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    tokio::spawn(QStashDev::new(settings, stop).serve(listener));
    let answer = json!({ "text": TEXT, "pages": 1 }).to_string();
    let worker = Destination::answering(vec![(200, &[], answer)]).await;
    let environment = OcrEnvironment::new(&queue, &worker.url, &public.url);
    let mut pairs = environment.pairs();
    pairs.push(("HEARTBEAT_INTERVAL_MS", "100"));
    let server = Server::start(&pairs);
    public.lead_to(&server.url);

    let document = put(&server, "p1", "scanned_letter.pdf").await;
    let stream = format!("/api/v1/patients/p1/documents/stream?document_id={document}");
    let mut viewer = Viewer::open(server.get(&stream)).await;
    confirm(&server, &document).await;
    let refused = "tidings_ocr_deliveries_total{outcome=\"wrong_clock\"} 4";
    let all_refused = async {
        while !server.get("/metrics").send().await.unwrap().text().await.unwrap().contains(refused) {
            // The stream lives on meanwhile.
            viewer.until("heartbeat").await;
        }
    };
    timeout(WITHIN, all_refused).await.expect("four tries");

    assert!(server.log().contains("the server's clock is 9"), "{}", server.log());
    assert!(server.log().contains("s behind the queue's"), "{}", server.log());
    let path = callback_of(&document);
    let signer = Signer::new(&DEVELOPMENT_KEYS[0].into(), Clock::System);
    let body = read().to_string();
    let signature = signer.sign(&format!("{}{path}", public.url), body.as_bytes());
    let request = server.http.post(format!("{}{path}", server.url)).body(body);
    let answer = request.header("Upstash-Signature", signature).send().await.unwrap();
    assert_eq!(outcome(answer).await, "taken", "once the clocks agree");
    assert_eq!(viewer.until("done").await.data["documents"][0]["status"], "complete");
}

#[tokio::test]
async fn an_old_delivery_is_refused() {
    let mut world = World::start().await;
    let document = world.scan().await;
    let old = Signer::new(&DEVELOPMENT_KEYS[0].into(), clock_off_by(-400));

    let answer = world.deliver_signed(&old, &callback_of(&document), read().to_string()).await;

    assert_eq!(answer.status(), 401);
    assert_eq!(world.status(&document).await, "ocr_processing");
    assert!(world.counts("wrong_clock", 1).await);
}

#[tokio::test]
async fn a_crash_right_after_a_callback_was_taken_loses_nothing() {
    let mut world = World::start().await;
    let mut documents = Vec::new();
    for _ in 0..4 {
        documents.push(world.scan().await);
    }
    // Long enough to be under way when the process ends.
    let text = format!("{TEXT}\n{}", "no history of diabetes. ".repeat(60_000));
    let body = callback(200, 0, &json!({ "text": text, "pages": 9 }));
    for document in &documents {
        assert_eq!(
            outcome(world.deliver(&callback_of(document), &rename(&body, document)).await).await,
            "taken"
        );
    }

    let world = world.crash_and_restart();

    for document in &documents {
        assert_eq!(world.end(document).await, ("complete".into(), None));
        let again = world.deliver(&callback_of(document), &rename(&body, document)).await;
        assert_eq!(outcome(again).await, "taken", "the same answer as before the crash");
    }
    assert!(world.server.log().contains("took up documents"), "no crash fell into the work");
    assert!(world.counts("repeat", 4).await);
}

#[tokio::test]
async fn what_an_instance_took_and_could_not_work_on_is_ended_by_another() {
    let database = Database::new().await;
    let folder = tempfile::tempdir().unwrap();
    let files = format!("file://{}", folder.path().display());
    let shared = [("DATABASE_URL", database.url.as_str()), ("STORAGE_URL", files.as_str())];
    let mut world = World::with(&shared).await;
    let pairs = [&world.environment.pairs()[..], &shared].concat();
    let second = Server::start(&pairs);
    let document = world.scan().await;
    let rests = format!(
        "SELECT count(*) FROM documents WHERE document_id = '{document}' AND worker IS NULL
         AND leased_until > (extract(epoch FROM now()) + 3600) * 1000"
    );
    let is_at_rest = async { while database.number(&rests).await == 0 {} };
    timeout(WITHIN, is_at_rest).await.expect("the scan is left to OCR");
    database
        .run(
            "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN RAISE EXCEPTION 'held'; END $$;
             CREATE TRIGGER hold BEFORE UPDATE OF status ON documents FOR EACH ROW EXECUTE FUNCTION hold()",
        )
        .await;

    assert_eq!(outcome(world.deliver(&callback_of(&document), &read()).await).await, "taken");
    let World { server, queue: _queue, environment: _ } = world;
    server.crash();
    let killed = Instant::now();
    database.run("DROP TRIGGER hold ON documents").await;
    let seen = timeout(WITHIN, read_named(&second, "p1", &document)).await.expect("it ends");

    assert_eq!(seen.last().unwrap().data["documents"][0]["status"], "complete");
    println!("ended {:?} after the kill", killed.elapsed());
}

#[tokio::test]
async fn a_scan_nobody_says_a_word_about_ends_after_hours() {
    let mut world = World::start().await;
    let (silent, recent) = (world.scan().await, world.scan().await);
    let url = format!("sqlite://{}/data/tidings.db", world.server.folder.path().display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    while at_rest(&pool).await < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let age = "UPDATE documents SET updated_at = updated_at - 4 * 3600 * 1000,
                                    leased_until = leased_until - 4 * 3600 * 1000 WHERE document_id = $1";
    sqlx::query(age).bind(&silent).execute(&pool).await.unwrap();

    // It is taken up at the start. What is so old holds no stream open.
    let world = world.crash_and_restart();
    let ended = async {
        while world.status(&silent).await != "failed" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(WITHIN, ended).await.expect("it ends");

    assert_eq!(world.end(&silent).await, ("failed".into(), Some("worker_silent".into())));
    assert_eq!(world.status(&recent).await, "ocr_processing");
    assert_eq!(outcome(world.deliver(&callback_of(&silent), &read()).await).await, "too_late");
    assert_eq!(outcome(world.deliver(&callback_of(&recent), &read()).await).await, "taken");
}

/// Counts the documents that OCR has and nobody holds.
async fn at_rest(pool: &sqlx::SqlitePool) -> i64 {
    let count = "SELECT count(*) FROM documents WHERE worker IS NULL AND status = 'ocr_processing'";
    sqlx::query_scalar(count).fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn while_the_database_is_locked_the_queue_is_asked_to_come_again() {
    let mut world = World::start().await;
    let document = world.scan().await;
    let url = format!("sqlite://{}/data/tidings.db", world.server.folder.path().display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    let lock = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();

    let refused = world.deliver(&callback_of(&document), &read()).await;
    lock.rollback().await.unwrap();
    let taken = world.deliver(&callback_of(&document), &read()).await;

    assert_eq!(refused.status(), 503);
    assert_eq!(outcome(taken).await, "taken");
    assert_eq!(world.end(&document).await.0, "complete");
    assert!(world.counts("store_down", 1).await);
}

#[tokio::test]
async fn a_queue_that_refuses_for_good_fails_the_document_with_a_reason() {
    let world = World::over(vec![(401, &[], r#"{"error":"unauthorized"}"#.into())]).await;
    let document = put(&world.server, "p1", "scanned_letter.pdf").await;
    confirm(&world.server, &document).await;

    assert_eq!(world.end(&document).await, ("failed".into(), Some("ocr_unavailable".into())));
    assert!(world.server.log().contains("does not accept the token"), "{}", world.server.log());
    assert!(!world.server.log().contains(DEVELOPMENT_TOKEN));
}

#[tokio::test]
async fn a_queue_that_asks_for_an_hour_is_not_waited_for() {
    let later = (429, &[("retry-after", "3600")][..], r#"{"error":"burst limit"}"#.to_owned());
    let mut world = World::over(vec![later]).await;
    let document = put(&world.server, "p1", "scanned_letter.pdf").await;
    confirm(&world.server, &document).await;
    world.queue.next().await;

    assert_eq!(world.end(&document).await.1.as_deref(), Some("ocr_unavailable"));
    assert_eq!(world.queue.waiting(), 0);
}

#[tokio::test]
async fn a_queue_that_is_away_for_a_moment_is_tried_again() {
    let away = || (503, &[][..], "away".to_owned());
    let taken = (201, &[][..], r#"{"messageId":"msg_1"}"#.to_owned());
    let mut world = World::over(vec![away(), away(), taken]).await;
    let document = put(&world.server, "p1", "scanned_letter.pdf").await;
    confirm(&world.server, &document).await;

    let tries = [world.queue.next().await, world.queue.next().await, world.queue.next().await];

    let ids = tries.map(|published| published.header("upstash-deduplication-id").to_owned());
    assert_eq!(ids, [0; 3].map(|_| format!("{document}.1")));
    assert_eq!(outcome(world.deliver(&callback_of(&document), &read()).await).await, "taken");
    assert_eq!(world.end(&document).await.0, "complete");
}

/// The same callback of another document's message.
fn rename(callback: &serde_json::Value, document: &str) -> serde_json::Value {
    let mut callback = callback.clone();
    callback["sourceMessageId"] = format!("msg_{document}").into();
    callback
}

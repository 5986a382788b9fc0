//! What goes wrong, told apart by what to do about it, and nothing said that is secret.

use std::{
    io::Write,
    sync::{Arc, Mutex},
    time::Duration,
};

use secrecy::SecretString;
use tidings::{
    clock::Clock,
    telemetry::Metrics,
    upstash::{Command, RedisError, RedisRest},
};
use tracing::{Level, subscriber::DefaultGuard};

use super::front::{Front, TOKEN, client, silent};

const QUOTA: &str = r#"{"error":"ERR max requests limit exceeded. Limit: 500000, Usage: 500000."}"#;

fn get() -> Command {
    Command::new("GET").arg("k")
}

/// Keeps the log lines of this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn keep(&self) -> DefaultGuard {
        let log = self.clone();
        let lines = tracing_subscriber::fmt().with_max_level(Level::TRACE).with_ansi(false);
        tracing::subscriber::set_default(lines.with_writer(move || log.clone()).finish())
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn every_refusal_is_told_apart() {
    let table = [
        (401, r#"{"error":"Unauthorized"}"#, "auth", false),
        (400, r#"{"error":"WRONGPASS invalid or missing auth token"}"#, "auth", false),
        (400, QUOTA, "quota", true),
        (200, QUOTA, "quota", true),
        (400, r#"{"error":"ERR max daily request limit exceeded"}"#, "quota", true),
        (429, "", "throttled", true),
        (413, "", "too_large", false),
        (400, r#"{"error":"ERR max request size exceeded"}"#, "too_large", false),
        (400, r#"{"error":"ERR wrong number of arguments"}"#, "refused", false),
        (405, "", "refused", false),
        (307, "", "refused", false),
        (500, "oh no", "unavailable", true),
        (503, r#"{"error":"upstream is away"}"#, "unavailable", true),
    ];
    for (status, body, kind, is_transient) in table {
        let redis = Front::answering(status, body).await;
        let error = redis.client(&Arc::default()).command(&get()).await.unwrap_err();
        let whole = redis.client(&Arc::default()).pipeline(&[get()]).await.unwrap_err();

        assert_eq!((error.kind(), whole.kind()), (kind, kind), "{status} {body}");
        assert_eq!(error.is_transient(), is_transient, "{status} {body}");
    }
}

#[tokio::test]
async fn what_is_not_an_answer_of_redis_is_garbled() {
    for body in ["", "<html>", "{", r#"{"result":"cut off"#, "{}", "7", r#"{"result":{"a":1}}"#] {
        let front = Front::answering(200, body).await;

        let error = front.client(&Arc::default()).command(&get()).await.unwrap_err();

        assert_eq!(error.kind(), "garbled", "{body}");
    }
}

#[tokio::test]
async fn no_answer_or_half_of_one_is_a_timeout() {
    let (_listener, nobody) = silent();
    let front = Front::streaming(&["{\"result\":"], true).await;

    for url in [nobody, front.url.clone()] {
        let redis = client(url, &Arc::default()).with_timeout(Duration::from_millis(200));
        let error = redis.command(&get()).await.unwrap_err();

        assert!(matches!(error, RedisError::Timeout), "{error:?}");
        assert!(error.may_have_run());
    }
}

#[tokio::test]
async fn a_refused_connection_is_transient_and_nothing_ran() {
    let (listener, url) = silent();
    drop(listener);

    let error = client(url, &Arc::default()).command(&get()).await.unwrap_err();

    assert_eq!(error.kind(), "transport");
    assert!(error.is_transient() && !error.may_have_run());
}

#[tokio::test]
async fn a_spent_quota_is_said_once_until_calls_succeed_again() {
    let log = Log::default();
    let _kept = log.keep();
    let front = Front::answering(400, QUOTA).await;
    let metrics = Arc::<Metrics>::default();
    let redis = front.client(&metrics);
    let said = || log.text().matches(" WARN ").count();
    let rests_until = || {
        let text = metrics.encode();
        let value = text.lines().find_map(|line| line.strip_prefix("tidings_redis_rests_until_seconds "));
        value.unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(rests_until(), 0);

    for _ in 0..3 {
        redis.command(&get()).await.unwrap_err();
    }
    assert_eq!(said(), 1, "{}", log.text());

    // For minutes nothing is sent but what is free.
    front.now_answers(200, r#"{"result":1}"#);
    assert_eq!(redis.command(&get()).await.unwrap_err().kind(), "quota");
    redis.command(&Command::new("PING")).await.unwrap();
    let left = rests_until().saturating_sub(Clock::System.seconds());
    assert!((1..=300).contains(&left), "{left}");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(301)).await;
    tokio::time::resume();
    redis.command(&get()).await.unwrap();
    assert_eq!(rests_until(), 0);
    front.now_answers(400, QUOTA);
    redis.clone().command(&get()).await.unwrap_err();
    assert_eq!(said(), 2, "{}", log.text());
}

#[tokio::test]
async fn neither_the_token_nor_the_user_in_the_url_is_ever_shown() {
    let log = Log::default();
    let _kept = log.keep();
    let (listener, mut closed) = silent();
    drop(listener);
    let front = Front::answering(400, QUOTA).await;
    let mut open = front.url.clone();
    let mut shown = String::new();

    for url in [&mut closed, &mut open] {
        url.set_username("userinfo-name").unwrap();
        url.set_password(Some("userinfo-secret")).unwrap();
        for token in [TOKEN, "token-0123456789\n"] {
            let redis = RedisRest::new(url.clone(), SecretString::from(token), Arc::default());
            let error = redis.command(&get()).await.unwrap_err();
            shown += &format!("{redis:?} {error} {error:?} {:?}", std::error::Error::source(&error));
        }
    }

    for secret in [TOKEN, "userinfo"] {
        assert!(!shown.contains(secret), "{shown}");
        assert!(!log.text().contains(secret), "{}", log.text());
    }
    assert!(log.text().contains("quota"));
}

//! What a server answers to its environment before it serves anything.

use std::{
    process::{Output, Stdio},
    time::Duration,
};

use tokio::{net::TcpListener, process::Command, time::timeout};

use crate::support::{
    Server,
    ocr::OcrEnvironment,
    tokens::{KEYS, SECRET, SERVICE_KEY},
};

const WITHIN: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_bad_value_stops_the_start_with_one_line_that_names_the_variable() {
    for (name, value) in [
        ("PORT", "eighty"),
        ("HOST", "my host"),
        ("APP_ENV", "prod"),
        ("REALTIME_TRANSPORT", "kafka"),
        ("DATABASE_URL", "mysql://user:hunter2@x/y"),
        ("STORAGE_URL", "relative/path"),
        ("HEARTBEAT_INTERVAL_MS", "0"),
        ("STREAM_MAX_SECONDS", "-1"),
        ("EVENT_TTL_SECONDS", "5"),
        ("CORS_ALLOWED_ORIGINS", "example.org"),
        ("LOG_FORMAT", "xml"),
        ("RUST_LOG", "tidings=loud"),
        ("AUTH_JWT_SECRET", "hunter2"),
        ("INTERNAL_API_KEY", "hunter2"),
        ("MAX_STREAMS", "0"),
        ("STREAM_KINDS", "transcode,doc_checklist"),
        ("STREAM_KINDS", "chat"),
    ] {
        let line = refusal(&[(name, value)]).await;

        assert!(line.contains(name), "{name}: {line}");
        assert!(!line.contains("hunter2"), "secrets are masked: {line}");
    }
}

#[tokio::test]
async fn a_server_that_others_can_reach_refuses_to_start_without_keys() {
    for outside in
        [("APP_ENV", "production"), ("HOST", "0.0.0.0"), ("VERCEL", "1"), ("RAILWAY_ENVIRONMENT", "x")]
    {
        let without_both = refusal(&[outside]).await;
        let without_key = refusal(&[outside, KEYS[0]]).await;
        let without_secret = refusal(&[outside, KEYS[1]]).await;

        assert!(without_both.contains("AUTH_JWT_SECRET"), "{outside:?}: {without_both}");
        assert!(without_key.contains("INTERNAL_API_KEY"), "{outside:?}: {without_key}");
        assert!(without_secret.contains("AUTH_JWT_SECRET"), "{outside:?}: {without_secret}");
        for line in [without_key, without_secret] {
            assert!(!line.contains(SECRET) && !line.contains(SERVICE_KEY), "{line}");
        }
    }
}

#[tokio::test]
async fn ocr_that_is_set_up_in_part_is_said_in_one_line() {
    let parts = [
        ("OCR_URL", "http://127.0.0.1:1/"),
        ("PUBLIC_URL", "http://127.0.0.1:2"),
        ("QSTASH_TOKEN", "hunter2"),
        ("QSTASH_CURRENT_SIGNING_KEY", "sig_hunter2"),
        ("QSTASH_NEXT_SIGNING_KEY", "sig_hunter2"),
    ];
    for (missing, _) in &parts[1..] {
        let others: Vec<_> = parts.into_iter().filter(|(name, _)| name != missing).collect();

        let line = refusal(&others).await;

        assert!(line.contains(missing) && line.contains("OCR_URL"), "{line}");
        assert!(!line.contains("hunter2"), "{line}");
    }
}

#[tokio::test]
async fn production_refuses_what_the_vendor_publishes_for_development() {
    let production = [KEYS[0], KEYS[1], ("APP_ENV", "production")];
    let ocr = OcrEnvironment::new("http://127.0.0.1:9", "http://127.0.0.1:1/", "http://127.0.0.1:2");

    let line = refusal(&[&production[..], &ocr.pairs()].concat()).await;

    assert!(line.contains("QSTASH_TOKEN") && line.contains("development"), "{line}");
}

#[tokio::test]
async fn production_starts_with_keys_and_lets_nobody_in_without() {
    let server = Server::start(&[KEYS[0], KEYS[1], ("APP_ENV", "production")]);

    let stranger = server.get("/api/v1/patients/p1/documents").send().await.unwrap();

    assert_eq!(stranger.status(), 401);
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port().to_string();

    let line = refusal(&[("PORT", &port)]).await;

    assert!(line.contains(&port) && line.contains("PORT"), "{line}");
}

#[tokio::test]
async fn a_dotenv_file_is_read_and_the_environment_beats_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), "LOG_FORMAT=xml\nPORT=0\n").unwrap();

    let from_file = run_in(folder.path(), &[]).await;
    let server = Server::start_in(folder, &[("LOG_FORMAT", "json")]);

    assert!(one_line(&from_file).contains("LOG_FORMAT"));
    assert_eq!(server.get("/healthz").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_log_that_goes_to_a_file_has_no_colours() {
    let server = Server::start(&[("RUST_LOG", "debug")]);

    server.get("/healthz").send().await.unwrap();

    assert!(server.log().contains("serving"));
    assert!(!server.log().contains('\u{1b}'), "{:?}", server.log());
}

/// Starts a server that must not start, and gives the one line it says.
async fn refusal(environment: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    one_line(&run_in(folder.path(), environment).await)
}

fn one_line(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(output.status.code().is_some_and(|code| code != 0), "{:?}: {text}", output.status);
    assert_eq!(output.stdout, b"", "it did not serve");
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

async fn run_in(folder: &std::path::Path, environment: &[(&str, &str)]) -> Output {
    let ended = Command::new(env!("CARGO_BIN_EXE_tidings"))
        .current_dir(folder)
        .env_clear()
        .env("PORT", "0")
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    timeout(WITHIN, ended).await.expect("it does not start").unwrap()
}

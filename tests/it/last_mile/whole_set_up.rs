//! `tidings check` against all that can be configured, whole and with each part broken in turn.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use tidings::upstash::DEVELOPMENT_TOKEN;

use crate::support::{
    Database, Queue, Redis, RedisRest, S3, Server,
    analyzer::{Answer, AnswersInTurn, ExampleAnalyzer, nobody},
    ocr::{OcrEnvironment, Worker},
    otlp::Collector,
    program::run,
    s3,
};

const PARTS: [&str; 10] = [
    "events",
    "documents",
    "files",
    "ocr",
    "worker",
    "callbacks",
    "analysis",
    "wake-ups",
    "migrations",
    "traces",
];
/// Processes at once; each looks at ten parts.
const AT_ONCE: usize = 3;

/// Everything a server can be told of, running.
struct SetUp {
    environment: BTreeMap<&'static str, String>,
    redis_token: &'static str,
    _running: (Redis, RedisRest, Database, S3, Queue, Worker, ExampleAnalyzer, Collector, Server),
}

impl SetUp {
    async fn start() -> Self {
        let redis_token = "token-of-the-front";
        let redis = Redis::start();
        let front = RedisRest::with_token(&redis, redis_token);
        let (database, s3, queue) = (Database::new().await, S3::start(), Queue::start());
        let (worker, analyzer) = (Worker::start("http://127.0.0.1:1/"), ExampleAnalyzer::start());
        let collector = Collector::start().await;
        let server = Server::start(&[("DATABASE_URL", &database.url)]);
        let ocr = OcrEnvironment::new(&queue.url, &worker.url, &server.url);
        let mut environment = BTreeMap::from([
            ("UPSTASH_REDIS_REST_URL", front.url.clone()),
            ("UPSTASH_REDIS_REST_TOKEN", redis_token.into()),
            ("UPSTASH_WAKE", "on".into()),
            ("DATABASE_URL", database.url.clone()),
            ("DATABASE_DIRECT_URL", database.url.clone()),
            ("ANALYZER_URL", analyzer.url.clone()),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.clone()),
        ]);
        let own = [
            "STORAGE_URL",
            "AWS_ENDPOINT_URL",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "OCR_URL",
            "PUBLIC_URL",
            "QSTASH_URL",
            "QSTASH_TOKEN",
            "QSTASH_CURRENT_SIGNING_KEY",
            "QSTASH_NEXT_SIGNING_KEY",
        ];
        for (name, value) in s3.environment().into_iter().chain(ocr.pairs()) {
            let name = own.iter().find(|own| **own == name).unwrap();
            environment.insert(name, value.into());
        }
        let _running = (redis, front, database, s3, queue, worker, analyzer, collector, server);
        Self { environment, redis_token, _running }
    }

    /// Runs `tidings check` with some variables changed; gives whether all is well, and each part's line.
    async fn check(&self, changed: &[(&'static str, String)]) -> (bool, BTreeMap<String, String>) {
        let mut environment = self.environment.clone();
        environment.extend(changed.iter().cloned());
        let pairs: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let ended = run(&["check"], &pairs).await;
        let words = String::from_utf8([ended.stdout, ended.stderr].concat()).unwrap();
        for secret in [self.redis_token, s3::SECRET, DEVELOPMENT_TOKEN, "hunter2"] {
            assert!(!words.contains(secret), "a secret is shown: {words}");
        }
        let lines = words.lines().map(|line| {
            let part = line[6..].split([':', ' ']).next().unwrap();
            (part.to_owned(), line.to_owned())
        });
        (ended.status.success(), lines.collect())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_part_has_one_good_line_and_a_broken_one_names_its_variable_and_its_cure() {
    let set_up = SetUp::start().await;
    let (is_well, lines) = set_up.check(&[]).await;
    let parts: Vec<_> = lines.keys().map(String::as_str).collect();
    let mut all = PARTS;
    all.sort_unstable();
    assert_eq!(parts, all, "{lines:?}");
    assert!(is_well && lines.values().all(|line| line.starts_with("ok    ")), "{lines:?}");

    let without_tables = Database::new().await;
    let locked = AnswersInTurn::start(&[Answer::With(401, "")]).await;
    let gone = "postgres://tidings:hunter2@127.0.0.1:9/tidings";
    let broken: Vec<(&'static str, String, &'static [&'static str], &'static str, &'static str)> = vec![
        ("UPSTASH_REDIS_REST_URL", nobody(), &["events", "wake-ups"], "UPSTASH_REDIS_REST_URL", "is it up"),
        (
            "UPSTASH_REDIS_REST_TOKEN",
            "hunter2".into(),
            &["events", "wake-ups"],
            "UPSTASH_REDIS_REST_TOKEN",
            "take the token of this database",
        ),
        ("DATABASE_URL", gone.into(), &["documents"], "DATABASE_URL", "is the server up"),
        ("DATABASE_URL", without_tables.url.clone(), &["documents"], "DATABASE_URL", "`tidings migrate`"),
        ("DATABASE_DIRECT_URL", gone.into(), &["migrations"], "DATABASE_DIRECT_URL", "is the server up"),
        ("STORAGE_URL", "s3://no-such-bucket".into(), &["files"], "STORAGE_URL", "STORAGE_URL"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2".into(), &["files"], "STORAGE_URL", "AWS_SECRET_ACCESS_KEY"),
        ("QSTASH_URL", nobody(), &["ocr"], "QSTASH_URL", "the URL of your region"),
        ("QSTASH_TOKEN", "hunter2".into(), &["ocr"], "QSTASH_TOKEN", "take the token"),
        ("QSTASH_CURRENT_SIGNING_KEY", "hunter2".into(), &["ocr"], "QSTASH_CURRENT_SIGNING_KEY", "set both"),
        ("OCR_URL", nobody(), &["worker"], "OCR_URL", "start the worker"),
        ("ANALYZER_URL", nobody(), &["analysis"], "ANALYZER_URL", "is it up"),
        ("ANALYZER_URL", locked.url.clone(), &["analysis"], "ANALYZER_TOKEN", "set the token"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", nobody(), &["traces"], "OTEL_EXPORTER_OTLP_ENDPOINT", "port 4318"),
    ];
    let set_up = &set_up;
    let checks = stream::iter(broken).map(async |(name, value, parts, variable, cure)| {
        let (is_well, lines) = set_up.check(&[(name, value)]).await;
        assert!(!is_well, "{name}: {lines:?}");
        for (part, line) in &lines {
            let is_broken = parts.contains(&part.as_str());
            assert_eq!(line.starts_with("FAIL  "), is_broken, "{name}: {line}");
        }
        let line = &lines[parts[0]];
        assert!(line.contains(&format!("{} ({variable}", parts[0])), "{name}: {line}");
        assert!(line.contains(cure) && line.len() < 500, "{name}: {line}");
        eprintln!("{line}");
    });
    checks.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await;
}

/// A server may be checked before it runs, and may not reach itself by its public name.
#[tokio::test]
async fn a_server_that_is_not_there_under_its_own_name_is_noted() {
    let set_up = SetUp::start().await;

    let (is_well, lines) = set_up.check(&[("PUBLIC_URL", nobody())]).await;

    assert!(is_well, "{lines:?}");
    let line = &lines["callbacks"];
    assert!(
        line.starts_with("note  callbacks (PUBLIC_URL): ") && line.contains("start the server"),
        "{line}"
    );
}

//! The examples of producers, as they stand, drive both streams: a viewer is told what they sent, all of it, in
//! order, and nothing else.

use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{process::Command, time::timeout};

use crate::support::{
    Message, Redis, RedisRest, Server, Viewer,
    tokens::{KEYS, SERVICE_KEY, keys_and},
};

/// How long an interpreter may take on a busy machine.
const WITHIN: Duration = Duration::from_secs(120);

#[tokio::test]
async fn python_drives_both_streams_over_http() {
    over_http(Producer::python("over_http.py")).await;
}

#[tokio::test]
async fn node_drives_both_streams_over_http() {
    over_http(Producer::node("over_http.mjs")).await;
}

#[tokio::test]
async fn python_drives_both_streams_with_the_official_sdk() {
    over_redis(Producer::python("over_redis.py"), "off").await;
}

#[tokio::test]
async fn node_drives_both_streams_with_the_official_sdk() {
    over_redis(Producer::node("over_redis.mjs"), "off").await;
}

#[tokio::test]
async fn what_they_push_wakes_whoever_waits_to_be_woken() {
    for producer in [Producer::python("over_redis.py"), Producer::node("over_redis.mjs")] {
        over_redis(producer, "on").await;
    }
}

async fn over_http(producer: Producer) {
    let server = Server::start(&KEYS);
    let settings = [("TIDINGS_URL", server.url.as_str()), ("INTERNAL_API_KEY", SERVICE_KEY)];

    let told = told_of(&server, producer, &settings).await;

    assert_eq!(told, (steps(), conversation()));
}

async fn over_redis(producer: Producer, wake: &str) {
    let redis = Redis::start();
    let front = RedisRest::with_token(&redis, "t");
    let settings = [("UPSTASH_REDIS_REST_URL", front.url.as_str()), ("UPSTASH_REDIS_REST_TOKEN", "t")];
    let server = Server::start(&keys_and(&[settings[0], settings[1], ("UPSTASH_WAKE", wake)]));

    let told = told_of(&server, producer, &settings).await;

    assert_eq!(told, (steps(), conversation()));
}

/// Runs a producer, and gives what viewers of both streams were told of the log, reduced to what it sent.
async fn told_of(
    server: &Server,
    producer: Producer,
    environment: &[(&str, &str)],
) -> (Vec<Value>, Vec<Value>) {
    let open = async |path: &str| Viewer::open(server.get(path).bearer_auth(SERVICE_KEY)).await;
    let mut documents = open("/api/v1/patients/p1/documents/stream").await;
    let mut chat = open("/api/v1/cases/c1/chat/stream").await;
    documents.until("connected").await;
    chat.until("connected").await;

    producer.run(environment).await;
    let progress = documents.rest().await;
    let mut conversation = Vec::new();
    while conversation.last().is_none_or(|message: &Message| message.name != "answer_done") {
        conversation.push(chat.next().await.expect("a chat does not end"));
    }
    // A repeat of what was told would come before the beat behind it.
    while conversation.last().unwrap().name != "heartbeat" {
        conversation.push(chat.next().await.expect("a chat does not end"));
    }

    let names: Vec<_> = progress.iter().map(|message| message.name.as_str()).collect();
    assert_eq!(names, ["progress", "progress", "progress", "done"]);
    let said = |message: &Message| {
        let mut data = message.data.clone();
        for own in ["timestamp", "sender"] {
            data.as_object_mut().unwrap().remove(own);
        }
        json!([message.name, data])
    };
    let is_of_the_log = |message: &&Message| message.name != "heartbeat";
    (
        progress.iter().take(3).map(|step| fields(&step.data)).collect(),
        conversation.iter().filter(is_of_the_log).map(said).collect(),
    )
}

fn fields(step: &Value) -> Value {
    json!(["document_id", "stage", "status", "percent", "detail"].map(|name| &step[name]))
}

fn steps() -> Vec<Value> {
    vec![
        json!(["d1", "ocr_started", "in_progress", 30, "page 2 of 5"]),
        json!(["d1", "ocr_complete", "completed", 50, "5 pages"]),
        json!(["d1", "matching_complete", "completed", 100, null]),
    ]
}

fn conversation() -> Vec<Value> {
    vec![
        json!(["agent_joined", { "name": "Eve" }]),
        json!(["token", { "message_id": "answer-1", "index": 0, "text": "Your MRI " }]),
        json!(["token", { "message_id": "answer-1", "index": 1, "text": "is recent." }]),
        json!(["message", { "id": "answer-1", "content": "Your MRI is recent.", "role": "assistant" }]),
        json!(["answer_done", { "message_id": "answer-1" }]),
    ]
}

/// An example with what runs it.
struct Producer {
    program: PathBuf,
    example: PathBuf,
}

impl Producer {
    fn python(example: &str) -> Self {
        let program = clients().join("venv/bin/python");
        let sdk = clients().join("venv/lib");
        assert!(program.exists() && sdk.is_dir(), "the official client is missing: make setup");
        Self { program, example: examples().join(example) }
    }

    fn node(example: &str) -> Self {
        Self { program: "node".into(), example: examples().join(example) }
    }

    /// Runs the example to its end beside the clients' packages, with nothing else set.
    async fn run(self, environment: &[(&str, &str)]) {
        let folder = tempfile::tempdir().unwrap();
        let packages = clients().join("node_modules");
        assert!(packages.join("@upstash/redis").is_dir(), "the official client is missing: make setup");
        // Node looks for packages beside the script.
        symlink(&packages, folder.path().join("node_modules")).unwrap();
        let script = folder.path().join(self.example.file_name().unwrap());
        std::fs::copy(&self.example, &script).unwrap();
        let ended = Command::new(&self.program)
            .arg(&script)
            .args(["p1", "d1", "c1"])
            .env_clear()
            .envs(std::env::var("PATH").map(|path| ("PATH", path)))
            .envs(environment.iter().copied())
            .kill_on_drop(true)
            .output();
        let output = timeout(WITHIN, ended).await.expect("it ends").unwrap_or_else(|error| {
            panic!("{} cannot be started ({error}): make setup", self.program.display())
        });
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {complaints}", self.example.display());
    }
}

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/producers")
}

//! The official clients, as they come, against the queue: what they publish and how they verify.

use std::path::{Path, PathBuf};

use tidings::upstash::{DEVELOPMENT_KEYS, DEVELOPMENT_TOKEN};
use tokio::process::Command;

use crate::support::Queue;

#[tokio::test]
async fn the_official_client_for_node_finds_everything_it_expects() {
    let clients = clients();
    assert!(
        clients.join("node_modules/@upstash/qstash").is_dir(),
        "the official client is missing: make setup"
    );

    run("node".into(), &clients.join("qstash_sdk.mjs")).await;
}

#[tokio::test]
async fn the_official_client_for_python_finds_everything_it_expects() {
    let python = clients().join("venv/bin/python");
    assert!(python.exists(), "the official client is missing: make setup");

    run(python, &clients().join("qstash_sdk.py")).await;
}

async fn run(program: PathBuf, script: &Path) {
    let queue = Queue::start();
    let output = Command::new(&program)
        .arg(script)
        .args([&queue.url, DEVELOPMENT_TOKEN, DEVELOPMENT_KEYS[0], DEVELOPMENT_KEYS[1]])
        .kill_on_drop(true)
        .output()
        .await
        .unwrap_or_else(|error| panic!("{} cannot be started ({error}): make setup", program.display()));

    let words = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}{complaints}");
    assert!(words.ends_with("all as expected\n"), "{words}{complaints}");
}

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

//! The official client, with the settings it has by itself, against the front.

use std::path::Path;

use tokio::process::Command;

use crate::support::{Redis, RedisRest};

#[tokio::test]
async fn the_official_client_finds_everything_it_expects() {
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    assert!(
        clients.join("node_modules/@upstash/redis").is_dir(),
        "the official client is missing: make setup"
    );
    let redis = Redis::start();
    let rest = RedisRest::with_token(&redis, "token-of-the-tests");

    let output = Command::new("node")
        .arg(clients.join("upstash_sdk.mjs"))
        .args([&rest.url, "token-of-the-tests"])
        .kill_on_drop(true)
        .output()
        .await
        .unwrap_or_else(|error| panic!("node cannot be started ({error}): make setup"));

    let words = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    assert!(words.ends_with("all as expected\n"), "{words}");
}

//! What an instance may hold, and what it refuses to start with.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;
use tidings::config::{Config, Variables};

use crate::support::{Outside, Platform, Viewer, tokens::SERVICE_KEY, viewer::names};

/// Open files of the instance; 256 of them are kept for other things.
const DESCRIPTORS: u32 = 340;
const STREAMS: usize = 84;

#[tokio::test]
async fn streams_beyond_the_open_files_are_asked_to_come_back_and_the_instance_lives_on() {
    let outside = Outside::start().await;
    let platform = Platform::start(&outside, &[]).await;
    let instance = platform.scale_out(Some(DESCRIPTORS)).await;
    drop(platform.retire_oldest());
    let open = async |number: usize| {
        let stream = format!("/api/v1/patients/p{number}/documents/stream");
        Viewer::open(platform.get(&stream).bearer_auth(SERVICE_KEY)).await
    };
    let mut viewers = Vec::new();
    for number in 0..STREAMS {
        let mut viewer = open(number).await;
        viewer.until("connected").await;
        viewers.push(viewer);
    }

    let refused = open(STREAMS).await;

    assert_eq!(refused.status, 200, "any other answer ends an EventSource for good");
    let seen = refused.rest().await;
    assert_eq!(names(&seen), ["reconnect"]);
    assert_eq!((seen[0].text("reason").as_str(), seen[0].retry), ("overloaded", Some(15_000)));
    assert_eq!(instance.metric("tidings_streams_open").await, STREAMS as u64);
    drop(viewers.pop());
    assert_eq!(platform.get("/healthz").send().await.unwrap().status(), 200);
}

#[test]
fn parts_that_only_one_instance_would_see_are_refused_with_one_line() {
    let folder = tempfile::tempdir().unwrap();

    let ended = Command::new(env!("CARGO_BIN_EXE_tidings-function"))
        .current_dir(folder.path())
        .env_clear()
        .envs(crate::support::tokens::KEYS)
        .env("VERCEL", "1")
        .env("UPSTASH_REDIS_REST_URL", "https://x.upstash.io")
        .env("UPSTASH_REDIS_REST_TOKEN", "t")
        .stdout(Stdio::null())
        .output()
        .unwrap();

    let words = String::from_utf8(ended.stderr).unwrap();
    assert!(!ended.status.success());
    assert_eq!(words.lines().count(), 1, "{words}");
    assert!(words.contains("DATABASE_URL") && words.contains("postgres://"), "{words}");
}

#[test]
fn the_platform_is_told_of_the_function_that_is_built_and_of_a_time_that_streams_keep() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let told: Value = serde_json::from_str(&read("vercel.json")).unwrap();
    let on_vercel = Variables::of(&[("VERCEL", "1"), ("APP_ENV", "development")]);

    let longest = Config::read(&on_vercel).unwrap().streams.longest;

    let destination = told["rewrites"][0]["destination"].as_str().unwrap();
    let entry = format!("{}.rs", destination.trim_start_matches('/'));
    let seconds = told["functions"][&entry]["maxDuration"].as_u64().unwrap();
    assert!(folder.join(&entry).is_file() && read("Cargo.toml").contains(&format!("path = \"{entry}\"")));
    assert!(longest.as_secs() + 20 <= seconds, "{longest:?} of {seconds} s");
    // What is not in this folder would be served as it is, sources and all.
    assert!(folder.join(told["outputDirectory"].as_str().unwrap()).is_dir());
}

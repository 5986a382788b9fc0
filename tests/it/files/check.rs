//! `tidings check` and the start, as they speak of a bucket.

use std::process::Output;

use tokio::process::Command;

use crate::support::{
    S3,
    s3::{KEY, SECRET},
};

/// Says whether all is well, and the line about files.
async fn check(environment: &[(&str, &str)]) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), "migrate", environment).await;
    let ended = run(folder.path(), "check", environment).await;
    let words = String::from_utf8([ended.stdout, ended.stderr].concat()).unwrap();
    assert!(!words.contains(SECRET), "{words}");
    let line = words.lines().find(|line| line.contains(" files")).unwrap_or_else(|| panic!("{words}"));
    (ended.status.success(), line.to_owned())
}

async fn run(folder: &std::path::Path, command: &str, environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tidings"))
        .arg(command)
        .current_dir(folder)
        .env_clear()
        .envs(environment.iter().copied())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_bucket_that_can_be_used_says_so_and_is_left_as_it_was() {
    let s3 = S3::start();

    let (is_well, line) = check(&s3.environment()).await;

    assert!(is_well && line.starts_with("ok    files: s3://tidings-files"), "{line}");
    assert_eq!(s3.keys(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_wrong_with_a_bucket_is_named_with_its_cure() {
    let mut s3 = S3::start();
    let url = s3.url.clone();
    let with = |name: &'static str, value: &'static str| {
        let mut environment =
            vec![("STORAGE_URL", "s3://tidings-files/clinic/a"), ("AWS_ENDPOINT_URL", url.as_str())];
        environment.extend([("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", SECRET)]);
        environment.retain(|(own, _)| *own != name);
        environment.push((name, value));
        environment
    };

    let no_bucket = check(&with("STORAGE_URL", "s3://no-such-bucket")).await;
    let no_key = check(&with("AWS_ACCESS_KEY_ID", "nobody")).await;
    let no_secret = check(&with("AWS_SECRET_ACCESS_KEY", "hunter2")).await;
    s3.deny("CopyObject");
    let no_copy = check(&with("LOG_FORMAT", "text")).await;
    s3.deny("HeadObject");
    let no_look = check(&with("LOG_FORMAT", "text")).await;
    s3.deny("ListObjectsV2");
    let no_list = check(&with("LOG_FORMAT", "text")).await;
    s3.stop();
    let no_route = check(&with("LOG_FORMAT", "text")).await;

    for ((is_well, line), [what, cure]) in [
        (no_bucket, ["NoSuchBucket", "STORAGE_URL"]),
        (no_key, ["NotSignedUp", "AWS_ACCESS_KEY_ID"]),
        (no_secret, ["SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"]),
        (no_copy, ["AccessDenied", "s3:PutObject"]),
        (no_look, ["access denied", "s3:GetObject"]),
        (no_list, ["AccessDenied", "s3:ListBucket"]),
        (no_route, ["connection refused", "AWS_ENDPOINT_URL"]),
    ] {
        assert!(!is_well && line.starts_with("FAIL  files (STORAGE_URL): "), "{line}");
        assert!(line.contains(what) && line.contains(cure), "{line}");
    }
}

#[tokio::test]
async fn what_leads_to_a_bucket_and_is_missing_stops_the_start_with_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let whole = [
        ("PORT", "0"),
        ("STORAGE_URL", "s3://tidings-files"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
    ];

    for missing in ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        let rest: Vec<_> = whole.into_iter().filter(|(name, _)| *name != missing).collect();

        let ended = run(folder.path(), "serve", &rest).await;

        let words = String::from_utf8(ended.stderr).unwrap();
        assert!(!ended.status.success(), "{missing}");
        assert!(words.lines().count() == 1 && words.contains(&format!("{missing} is not set")), "{words}");
        assert!(!words.contains(SECRET), "{words}");
    }
}

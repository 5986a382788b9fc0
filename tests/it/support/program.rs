//! The built binary, run to its end in a folder of its own.

use std::{
    process::{Output, Stdio},
    time::Duration,
};

use tokio::{process::Command, time::timeout};

/// How long it may take on a busy machine.
const WITHIN: Duration = Duration::from_secs(60);

/// Runs a subcommand that ends by itself, with nothing set but what `environment` names.
pub async fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let ended = Command::new(env!("CARGO_BIN_EXE_tidings"))
        .args(arguments)
        .current_dir(folder.path())
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    timeout(WITHIN, ended).await.expect("it ends").unwrap()
}

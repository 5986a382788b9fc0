//! Judges from elsewhere: Python packages that `make setup` installs beside the clients.

use std::{
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
};

/// Runs a script of `tests/clients` over `input` and gives what it prints, or what it complains of.
pub fn run(script: &str, input: &str) -> Result<String, String> {
    let clients = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let python = clients.join("venv/bin/python");
    let mut process = Command::new(&python)
        .arg(clients.join(script))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}: run `make setup`", python.display()));
    process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).unwrap()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

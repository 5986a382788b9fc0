//! The three servers: the floor, the baseline and Tidings, each a process of its own.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::Context;
use tempfile::TempDir;

use super::{machine::Cores, publishers::Door};

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contestant {
    Floor,
    Baseline,
    Tidings,
}

impl Contestant {
    pub const ALL: [Self; 3] = [Self::Floor, Self::Baseline, Self::Tidings];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Baseline => "baseline",
            Self::Tidings => "tidings",
        }
    }

    pub fn stream_path(self, channel: u64) -> String {
        match self {
            Self::Tidings => format!("/api/v1/patients/p{channel}/documents/stream?follow=1"),
            _ => format!("/stream/{channel}"),
        }
    }

    /// Where its events are published over HTTP.
    pub const fn door(self) -> Door {
        match self {
            Self::Tidings => Door::Progress,
            _ => Door::Reference,
        }
    }

    /// Says whether a stream begins with an event that says it is up.
    pub fn greets(self) -> bool {
        self == Self::Tidings
    }
}

/// A running server; killed by its process id when dropped.
pub struct Server {
    process: Child,
    pub contestant: Contestant,
    pub address: SocketAddr,
    /// What it says after where it listens.
    pub words: Option<BufReader<std::process::ChildStdout>>,
    folder: TempDir,
}

impl Server {
    /// Starts a server on the servers' core. `program` is the one of Tidings.
    ///
    /// # Errors
    /// When it does not say where it listens; the error holds its log.
    pub fn start(
        contestant: Contestant,
        program: &Path,
        cores: Cores,
        environment: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let mut command = match contestant {
            Contestant::Tidings => Command::new(program),
            reference => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg(reference.name());
                command
            }
        };
        // Streams last longer than any workload, and their number is not what is measured.
        command.env_clear().envs([("PORT", "0"), ("MAX_STREAMS", "1000000"), ("STREAM_MAX_SECONDS", "3600")]);
        command.envs(environment.iter().copied());
        Self::start_command(contestant, command, cores)
    }

    /// Starts a server by a command of one's own.
    ///
    /// # Errors
    /// When it does not say where it listens; the error holds its log.
    pub fn start_command(contestant: Contestant, mut command: Command, cores: Cores) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let log = folder.path().join("log");
        command.current_dir(folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(File::create(&log)?);
        let mut process = cores.on_servers(|| command.spawn()).context("start a server")?;
        let mut words = BufReader::new(process.stdout.take().context("its output")?);
        let mut greeting = String::new();
        words.read_line(&mut greeting)?;
        let address = greeting.split_once("http://").and_then(|parts| parts.1.trim().strip_suffix('/'));
        let Some(address) = address.and_then(|address| address.parse().ok()) else {
            let _ = process.kill();
            let _ = process.wait();
            let log = std::fs::read_to_string(log).unwrap_or_default();
            anyhow::bail!("the {} did not start: {greeting}{log}", contestant.name());
        };
        Ok(Self { process, contestant, address, words: Some(words), folder })
    }

    pub fn process(&self) -> u32 {
        self.process.id()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

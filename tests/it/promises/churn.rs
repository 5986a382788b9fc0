//! Streams that come and go in every way leave nothing behind: no task, no open file.
//!
//! `make soak` does the same for minutes, and looks at memory too.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::ensure;
use futures::{StreamExt, stream};
use tempfile::TempDir;
use tidings::config::{Config, Variables};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Runtime,
};
use tokio_util::sync::CancellationToken;

use crate::support::Server;

const STREAMS: u64 = 10_000;
const AT_ONCE: usize = 64;
/// Streams before the first count: what starts with the first viewers is there then.
const BEFORE: u64 = 200;
/// How long a viewer who has left may go unnoticed: a few heartbeats, on a machine that does other things too.
const NOTICED_WITHIN: Duration = Duration::from_secs(60);
const HEARTBEATS: (&str, &str) = ("HEARTBEAT_INTERVAL_MS", "500");

#[test]
fn no_task_is_left_of_10_000_streams() {
    let server = Counted::start();
    let own = Runtime::new().unwrap();
    own.block_on(come_and_go(server.address, BEFORE));
    let before = settled(|| server.tasks());

    own.block_on(come_and_go(server.address, STREAMS));

    let after = at_most(before, || server.tasks());
    assert!(after <= before, "{before} tasks before, {after} tasks after {STREAMS} streams");
}

#[test]
fn no_open_file_is_left_of_10_000_streams() {
    let server = Server::start(&[HEARTBEATS]);
    let own = Runtime::new().unwrap();
    let address = server.url.trim_start_matches("http://").parse().unwrap();
    let files = || open_files(server.pid());
    own.block_on(come_and_go(address, BEFORE));
    let before = settled(files);

    own.block_on(come_and_go(address, STREAMS));

    let after = at_most(before, files);
    assert!(after <= before, "{before} open files before, {after} after {STREAMS} streams");
}

/// Counts the open files of a process but those of its database: its pool opens connections as it needs them.
fn open_files(process: u32) -> usize {
    let files = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().flatten();
    let targets = files.filter_map(|file| std::fs::read_link(file.path()).ok());
    targets.filter(|target| !target.to_string_lossy().contains("tidings.db")).count()
}

/// A server in this process, on a runtime of its own whose tasks can be counted.
struct Counted {
    runtime: Option<Runtime>,
    address: SocketAddr,
    shutdown: CancellationToken,
    _folder: TempDir,
}

impl Counted {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = format!("sqlite://{}", folder.path().join("a.db").display());
        let files = format!("file://{}", folder.path().join("files").display());
        let settings = [("DATABASE_URL", database.as_str()), ("STORAGE_URL", files.as_str()), HEARTBEATS];
        let config = Config::read(&Variables::of(&settings)).unwrap();
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(async { tidings::bind(([127, 0, 0, 1], 0).into()).unwrap() });
        let (address, shutdown) = (listener.local_addr().unwrap(), CancellationToken::new());
        runtime.spawn(tidings::run(config, listener, shutdown.clone()));
        Self { runtime: Some(runtime), address, shutdown, _folder: folder }
    }

    fn tasks(&self) -> usize {
        self.runtime.as_ref().map_or(0, |runtime| runtime.metrics().num_alive_tasks())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.shutdown.cancel();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(10));
        }
    }
}

async fn come_and_go(address: SocketAddr, count: u64) {
    let visits = stream::iter(0..count).map(|number| visit(address, number));
    let visits: Vec<_> = visits.buffer_unordered(AT_ONCE).collect().await;
    let failed: Vec<_> = visits.into_iter().filter_map(Result::err).collect();
    assert!(failed.is_empty(), "{} of {count} failed, for example {:?}", failed.len(), failed[0]);
}

/// Comes and leaves in one of the ways of viewers; now and then an event is published, too.
async fn visit(address: SocketAddr, number: u64) -> anyhow::Result<()> {
    let channel = number % 499;
    let mut connection = TcpStream::connect(address).await?;
    let cursor = if number.is_multiple_of(2) { "Last-Event-ID: 1-0\r\n" } else { "" };
    let path = format!("/api/v1/patients/p{channel}/documents/stream?follow=1");
    let request = format!("GET {path} HTTP/1.1\r\nHost: t\r\n{cursor}\r\n");
    match number % 5 {
        // Amid the request.
        0 => connection.write_all(&request.as_bytes()[..request.len() / 2]).await?,
        // Before the answer.
        1 => connection.write_all(request.as_bytes()).await?,
        2 => {
            let event = format!(r#"{{"patient_id":"p{channel}","document_id":"d1","stage":"ocr_started"}}"#);
            let post = format!(
                "POST /api/v1/progress HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\n\r\n{event}",
                event.len()
            );
            connection.write_all(post.as_bytes()).await?;
            read_until(&mut connection, "202 Accepted").await?;
        }
        // In mid-stream.
        _ => {
            connection.write_all(request.as_bytes()).await?;
            read_until(&mut connection, "event: connected").await?;
        }
    }
    Ok(())
}

async fn read_until(connection: &mut TcpStream, words: &str) -> anyhow::Result<()> {
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains(words) {
        ensure!(connection.read_buf(&mut seen).await? > 0, "closed after {}", String::from_utf8_lossy(&seen));
    }
    Ok(())
}

/// Gives a count once it has stood still for a second.
fn settled(count: impl Fn() -> usize) -> usize {
    let begun = Instant::now();
    let (mut last, mut since) = (count(), Instant::now());
    while since.elapsed() < Duration::from_secs(1) && begun.elapsed() < NOTICED_WITHIN {
        std::thread::sleep(Duration::from_millis(50));
        let now = count();
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    last
}

/// Gives a count once it is as low as `most`, or too much time has passed.
fn at_most(most: usize, count: impl Fn() -> usize) -> usize {
    let begun = Instant::now();
    while count() > most && begun.elapsed() < NOTICED_WITHIN {
        std::thread::sleep(Duration::from_millis(50));
    }
    count()
}

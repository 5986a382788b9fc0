//! A connection that says nothing whole costs little and ends; one that has asked may wait.

use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::support::{Server, Viewer, tokens::KEYS};

const CONNECTIONS: usize = 600;
/// What a connection may cost before its request is whole.
const MAY_COST: u64 = 32 * 1_024;
/// A head just below the longest that is taken.
const LONG_HEAD: usize = 15 * 1_024;
/// Three times what a first request is given; the test waits for the end, not for the time.
const SOON: Duration = Duration::from_secs(30);

/// Connections that have each sent so much of a head without its end.
async fn half_heads(server: &Server, bytes: usize) -> Vec<TcpStream> {
    let head = format!("GET /healthz HTTP/1.1\r\nHost: a\r\nX-Long: {}", "x".repeat(bytes));
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut connection = server.connect().await;
        connection.write_all(head.as_bytes()).await.unwrap();
        connections.push(connection);
    }
    // A request of somebody else is read behind them.
    assert_eq!(server.get("/healthz").send().await.unwrap().status(), 200);
    tokio::time::sleep(Duration::from_millis(500)).await;
    connections
}

/// Reads until the server hangs up.
async fn ends(mut connection: TcpStream) -> bool {
    let mut rest = Vec::new();
    timeout(SOON, connection.read_to_end(&mut rest)).await.is_ok()
}

/// Asks on a connection that is kept, and reads one small answer.
async fn ask(connection: &mut TcpStream) -> String {
    connection.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    let mut buffer = [0; 1_024];
    while !answer.ends_with("ok\n") {
        let read = timeout(SOON, connection.read(&mut buffer)).await.expect("an answer").unwrap();
        assert!(read > 0, "the connection was closed");
        answer.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_head_costs_less_than_32_kib_and_ends_while_others_go_on() {
    let server = Server::start(&KEYS);
    let mut kept = server.connect().await;
    ask(&mut kept).await;
    let stream = server.get("/api/v1/patients/p1/documents/stream").bearer_auth(KEYS[1].1);
    let mut viewer = Viewer::open(stream).await;
    viewer.until("connected").await;

    let mut costs = Vec::new();
    let mut held = Vec::new();
    for bytes in [1, LONG_HEAD] {
        let before = server.resident_bytes();
        held.push(half_heads(&server, bytes).await);
        costs.push(server.resident_bytes().saturating_sub(before) / CONNECTIONS as u64);
    }
    let begun = Instant::now();
    let ended = join_all(held.into_iter().flatten().map(ends)).await;

    eprintln!(
        "half a head of few bytes and of 15 KiB costs {costs:?} bytes; all ended after {:?}",
        begun.elapsed()
    );
    assert!(costs.iter().all(|cost| *cost < MAY_COST), "{costs:?}");
    assert!(ended.iter().all(|has_ended| *has_ended), "some are still open");
    ask(&mut kept).await;
    viewer.until("heartbeat").await;
    let metrics = server.get("/metrics").send().await.unwrap().text().await.unwrap();
    let slow =
        metrics.lines().find_map(|line| line.strip_prefix("tidings_limited_total{limit=\"slow_head\"} "));
    assert_eq!(slow.unwrap().parse::<usize>().unwrap(), 2 * CONNECTIONS);
}

#[tokio::test]
async fn a_head_without_an_end_is_refused_and_read_no_further() {
    let server = Server::start(&KEYS);
    let mut connection = server.connect().await;
    let line = format!("X-Long: {}\r\n", "x".repeat(1_000));

    let _ = connection.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n").await;
    let mut sent = 0;
    while sent < 64 && connection.write_all(line.as_bytes()).await.is_ok() {
        sent += 1;
    }
    let mut answer = Vec::new();
    timeout(SOON, connection.read_to_end(&mut answer)).await.expect("it ends").expect("it is not reset");

    assert!(answer.starts_with(b"HTTP/1.1 431 "), "{:?}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn a_body_that_does_not_come_is_waited_for_so_long_and_no_longer() {
    let server = Server::start(&KEYS);
    let mut connection = server.connect().await;
    let head = format!(
        "POST /api/v1/progress HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{",
        KEYS[1].1
    );
    connection.write_all(head.as_bytes()).await.unwrap();

    let mut answer = vec![0; 2_000];
    let read = timeout(2 * SOON, connection.read(&mut answer)).await.expect("an answer").unwrap();

    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("application/problem+json"), "{answer}");
}

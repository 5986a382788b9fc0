//! A refusal reaches whoever is still sending, and nobody sends for ever.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::support::{
    Server,
    tokens::{KEYS, SERVICE_KEY},
};

/// Often enough that a connection reset under the answer shows: it hit one of two bodies of 300 KiB.
const TRIES: usize = 50;
/// More than what one client may go on for; the test waits for the end, not for the time.
const SOON: Duration = Duration::from_secs(60);

/// Refused once it is seen to be too long.
const BATCH: (&str, &str) = ("POST /api/v1/progress/batch", "HTTP/1.1 413 ");
/// Refused before any of the body is read.
const FILE: (&str, &str) = ("PUT /api/v1/uploads/d1/file?token=of-nobody", "HTTP/1.1 403 ");

/// A connection on which a body of so many bytes is announced.
async fn announce(server: &Server, request: &str, bytes: usize) -> TcpStream {
    let mut connection = server.connect().await;
    let head = format!(
        "{request} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {SERVICE_KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {bytes}\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    connection
}

/// One whose answer has been read, and which has much to send still.
async fn refused(server: &Server) -> TcpStream {
    let (request, expected) = FILE;
    let mut connection = announce(server, request, 1 << 30).await;
    let mut head = vec![0; 2_000];
    let read = timeout(SOON, connection.read(&mut head)).await.expect("an answer").unwrap();
    let head = String::from_utf8_lossy(&head[..read]);
    assert!(head.starts_with(expected), "{head:?}");
    connection
}

/// Sends a byte now and then until that is no longer possible.
async fn drip(connection: &mut TcpStream) {
    while connection.write_all(b" ").await.is_ok() {
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_all_before_it_reads_is_told_why() {
    let server = Server::start(&KEYS);

    for (request, expected) in [BATCH, FILE] {
        for bytes in [300 << 10, 8 << 20] {
            for _ in 0..TRIES {
                let mut connection = announce(&server, request, bytes).await;
                connection.write_all(&vec![b' '; bytes]).await.expect("all is taken");
                let mut answer = String::new();
                let read = timeout(SOON, connection.read_to_string(&mut answer)).await.expect("it ends");

                read.expect("the connection is closed, not reset");
                assert!(answer.starts_with(expected), "{bytes}: {answer:?}");
                assert!(answer.contains("application/problem+json"), "{bytes}: {answer:?}");
                assert!(answer.contains("\r\nconnection: close\r\n"), "{bytes}: {answer:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_one_that_is_refused_does_not_cost_the_connection() {
    let server = Server::start(&KEYS);
    let mut connection = server.connect().await;
    let (request, expected) = FILE;
    let whole = format!("{request} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");

    for _ in 0..TRIES {
        connection.write_all(whole.as_bytes()).await.unwrap();
        let mut answer = vec![0; 2_000];
        let read = timeout(SOON, connection.read(&mut answer)).await.expect("an answer").unwrap();

        let answer = String::from_utf8_lossy(&answer[..read]);
        assert!(answer.starts_with(expected) && !answer.contains("connection: close"), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_never_ends_is_cut_and_so_is_one_that_falls_silent() {
    let server = Server::start(&KEYS);
    let _silent = refused(&server).await;
    let mut dripping = refused(&server).await;

    timeout(SOON, drip(&mut dripping)).await.expect("it is cut");

    // What is left is the connection that asks.
    assert_eq!(server.metric("tidings_connections_open").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_goes_on_does_not_hold_up_the_way_down() {
    let mut server = Server::start(&KEYS);
    let mut sending = refused(&server).await;

    server.terminate();
    let (ended, ()) = tokio::join!(server.ended(Duration::from_secs(5)), drip(&mut sending));

    assert!(ended.is_some_and(|status| status.success()));
    assert!(!server.log().contains("requests are still open"), "{}", server.log());
}

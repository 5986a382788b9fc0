//! A stream on its bare socket, as clients of all kinds open one.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::STREAM;
use crate::support::{Server, documents::emit};

const SOON: Duration = Duration::from_secs(20);

async fn send(server: &Server, text: &str) -> TcpStream {
    let mut socket = server.connect().await;
    socket.write_all(text.as_bytes()).await.unwrap();
    socket
}

/// Reads until `end` has come.
async fn read_until(socket: &mut TcpStream, end: &str) -> String {
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains(end) {
        let mut buffer = [0; 4_096];
        let more = timeout(SOON, socket.read(&mut buffer)).await.expect("more to come").unwrap();
        assert!(more > 0, "it ended: {}", String::from_utf8_lossy(&read));
        read.extend(&buffer[..more]);
    }
    String::from_utf8(read).unwrap()
}

fn get(path: &str, version: &str) -> String {
    format!("GET {path} HTTP/{version}\r\nHost: a\r\n\r\n")
}

/// Takes a whole chunked body apart.
fn chunks(mut body: &str) -> Vec<String> {
    let mut chunks = Vec::new();
    loop {
        let (size, rest) = body.split_once("\r\n").expect("the size of a chunk");
        let size = usize::from_str_radix(size, 16).expect("a size");
        if size == 0 {
            assert_eq!(rest, "\r\n");
            return chunks;
        }
        chunks.push(rest[..size].to_owned());
        body = rest[size..].strip_prefix("\r\n").expect("the end of a chunk");
    }
}

#[tokio::test]
async fn a_stream_is_chunks_to_its_end_and_takes_the_connection_along() {
    let server = Server::start(&[]);
    emit(&server, "p1", "d1", "matching_complete").await;
    let url = format!("{STREAM}?document_id=d1");

    // The second request of a connection, behind an answer of the usual kind.
    let mut socket = send(&server, &get("/healthz", "1.1")).await;
    read_until(&mut socket, "ok\n").await;
    socket.write_all(get(&url, "1.1").as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(SOON, socket.read_to_string(&mut answer)).await.expect("it ends").unwrap();

    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let head = head.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200 ok\r\n"), "{head}");
    for header in
        ["transfer-encoding: chunked", "connection: close", "content-type: text/event-stream", "date: "]
    {
        assert_eq!(head.matches(header).count(), 1, "{header} in {head}");
    }
    assert!(!head.contains("content-length"), "{head}");
    let chunks = chunks(body);
    assert!(chunks[0].starts_with("retry: 1000\n\n"), "{chunks:?}");
    assert!(chunks.last().unwrap().contains("event: done\n"), "{chunks:?}");
    assert!(chunks.iter().all(|chunk| chunk.ends_with("\n\n")), "frames are whole: {chunks:?}");
}

#[tokio::test]
async fn a_client_of_before_chunks_gets_the_same_frames_without() {
    let server = Server::start(&[]);
    emit(&server, "p1", "d1", "matching_complete").await;

    let mut socket = send(&server, &get(&format!("{STREAM}?document_id=d1"), "1.0")).await;
    let mut answer = String::new();
    timeout(SOON, socket.read_to_string(&mut answer)).await.expect("it ends").unwrap();

    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(!head.to_ascii_lowercase().contains("chunked"), "{head}");
    assert!(body.starts_with("retry: 1000\n\n") && body.contains("event: done\n"), "{body}");
}

#[tokio::test]
async fn the_answer_to_head_is_a_head() {
    let server = Server::start(&[]);

    let answer = reqwest::Client::new().head(format!("{}{STREAM}", server.url)).send().await.unwrap();

    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    assert_eq!(timeout(SOON, answer.bytes()).await.expect("nothing follows").unwrap(), "");
}

#[tokio::test]
async fn what_a_client_sends_behind_its_request_is_not_read_as_another() {
    let server = Server::start(&[]);
    let mut socket = send(&server, &get(STREAM, "1.1")).await;
    read_until(&mut socket, "event: connected").await;

    socket.write_all(get("/healthz", "1.1").as_bytes()).await.unwrap();
    emit(&server, "p1", "d1", "ocr_started").await;
    let seen = read_until(&mut socket, "event: progress").await;
    assert!(!seen.contains("HTTP/1.1"), "{seen}");

    let flood = vec![b'x'; 64 * 1_024];
    let _ = socket.write_all(&flood).await;
    let mut rest = Vec::new();
    let ended = timeout(SOON, socket.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "whoever floods is cut");
}

#[tokio::test]
async fn a_viewer_that_leaves_is_no_viewer_any_more() {
    let server = Server::start(&[]);
    let mut socket = send(&server, &get(STREAM, "1.1")).await;
    read_until(&mut socket, "event: connected").await;
    let open = async || {
        let metrics = server.get("/metrics").send().await.unwrap().text().await.unwrap();
        let lines = metrics.lines().filter(|line| line.starts_with("tidings_streams_open{"));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum::<u64>()
    };
    assert_eq!(open().await, 1);

    drop(socket);

    let gone = async {
        while open().await > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, gone).await.expect("the stream ends");
}

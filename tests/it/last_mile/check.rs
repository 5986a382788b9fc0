//! What `tidings check --url` says of what lies between.

use std::{future::ready, time::Duration};

use axum::{Router, body::Body, extract::State, http::Uri, response::Response};
use futures::{StreamExt, stream};
use tokio::{net::TcpListener, sync::mpsc, time::sleep};

use crate::support::{Cutter, Nginx, Server, program::run, tokens};

/// Heartbeats often enough for a short look.
const OFTEN: (&str, &str) = ("HEARTBEAT_INTERVAL_MS", "300");

/// Says whether all is well, and all that is said.
async fn check(url: &str, more: &[&str], environment: &[(&str, &str)]) -> (bool, String) {
    let arguments =
        [&["check", "--url", url][..], if more.is_empty() { &["--seconds", "3"] } else { more }].concat();
    let ended = run(&arguments, environment).await;
    (ended.status.success(), String::from_utf8([ended.stdout, ended.stderr].concat()).unwrap())
}

/// Checks that one line alone complains, of this thing and in these words.
fn complains_of(words: &str, thing: &str, parts: &[&str]) {
    let complaints: Vec<_> = words.lines().filter(|line| line.starts_with("FAIL")).collect();
    let [line] = complaints[..] else { panic!("one complaint is expected of {words}") };
    assert!(line.starts_with(&format!("FAIL  {thing}:")), "{words}");
    assert!(parts.iter().all(|part| line.contains(part)), "{parts:?} in {line}");
}

#[tokio::test]
async fn by_the_recipe_every_line_is_good() {
    let server = Server::start(&[OFTEN]);
    let nginx = Nginx::by_recipe([&server.url, &server.url]);

    let (is_well, words) = check(&nginx.url, &[], &[("SSL_CERT_FILE", &nginx.certificate())]).await;

    assert!(is_well && words.lines().all(|line| line.starts_with("ok ")), "{words}");
    for part in ["through nginx", "HTTP/2", "compression: none", "first byte", "heartbeat", "one by one"] {
        assert!(words.contains(part), "{part} in {words}");
    }
}

#[tokio::test]
async fn without_a_proxy_only_http_1_is_noted() {
    let server = Server::start(&[OFTEN]);

    let (is_well, words) = check(&server.url, &[], &[]).await;

    let notes: Vec<_> = words.lines().filter(|line| !line.starts_with("ok ")).collect();
    assert!(is_well && notes.len() == 1 && notes[0].contains("6 connections"), "{words}");
}

#[tokio::test]
async fn a_stream_that_is_held_back_is_told_from_a_server_that_is_away() {
    let server = Server::start(&[OFTEN]);
    let lines = "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;";
    let nginx = Nginx::naive(&server.url, lines);

    let (is_well, words) = check(&nginx.url, &[], &[]).await;

    assert!(!is_well);
    complains_of(&words, "buffering", &["held back", "proxy_buffering off", "proxy_ignore_headers"]);
}

#[tokio::test]
async fn a_stream_that_is_compressed_is_named_with_its_cure() {
    let server = Server::start(&[OFTEN]);
    let lines =
        "gzip on; gzip_types text/event-stream; gzip_min_length 0; gzip_proxied any; gzip_http_version 1.0;";
    let nginx = Nginx::naive(&server.url, lines);

    let (is_well, words) = check(&nginx.url, &[], &[]).await;

    assert!(!is_well);
    complains_of(&words, "compression", &["gzip", "gzip_types"]);
}

#[tokio::test]
async fn a_timeout_below_the_heartbeat_is_named_with_its_cure() {
    let server = Server::start(&[]);
    let nginx = Nginx::naive(&server.url, "proxy_read_timeout 1s;");

    let (is_well, words) = check(&nginx.url, &[], &[]).await;

    assert!(!is_well);
    complains_of(&words, "cut", &["silent", "proxy_read_timeout"]);
}

#[tokio::test]
async fn what_is_no_stream_is_said_in_words() {
    let locked = Server::start(&tokens::KEYS);
    let token = tokens::viewer(&["doc_progress:tidings-check"]);
    let nobody = format!("http://127.0.0.1:{}/", crate::support::redis::free_port());

    let (without, asked) = check(&locked.url, &[], &[]).await;
    let (with, watched) = check(&locked.url, &["--token", &token, "--seconds", "12"], &[]).await;
    let (page, no_stream) = check(&format!("{}/tidings.js", locked.url), &[], &[]).await;
    let (away, unreached) = check(&nobody, &[], &[]).await;

    assert_eq!((without, with, page, away), (false, true, false, false), "{watched}");
    complains_of(&asked, "stream", &["--token"]);
    assert!(watched.contains("heartbeat") && !watched.contains(&token), "{watched}");
    complains_of(&no_stream, "stream", &["text/event-stream"]);
    complains_of(&unreached, "server", &["cannot be reached"]);
}

/// A proxy that hands on what came in the last second, all at once.
async fn bursts_before(server: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(carry_in_bursts).with_state(server);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

async fn carry_in_bursts(State(server): State<String>, uri: Uri) -> Response {
    let answer = reqwest::get(format!("{server}{uri}")).await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    let (sender, waiting) = mpsc::unbounded_channel();
    tokio::spawn(answer.bytes_stream().for_each(move |chunk| {
        let _ = sender.send(chunk);
        ready(())
    }));
    let bursts = stream::unfold(waiting, async |mut waiting| {
        sleep(Duration::from_secs(1)).await;
        let mut burst = Vec::new();
        waiting.recv_many(&mut burst, 1_000).await;
        Some((stream::iter(burst), waiting))
    });
    let mut response = Response::new(Body::from_stream(bursts.flatten()));
    (*response.status_mut(), *response.headers_mut()) = (status, headers);
    response.headers_mut().remove("transfer-encoding");
    response
}

#[tokio::test]
async fn heartbeats_that_come_in_bursts_are_told_from_those_that_come_one_by_one() {
    let server = Server::start(&[("HEARTBEAT_INTERVAL_MS", "200")]);
    let url = bursts_before(server.url.clone()).await;

    let (is_well, words) = check(&url, &["--seconds", "5"], &[]).await;

    assert!(!is_well);
    complains_of(&words, "buffering", &["came together", "must not buffer"]);
}

#[tokio::test]
async fn a_limit_on_whole_answers_is_told_from_one_on_silence() {
    let server = Server::start(&[("HEARTBEAT_INTERVAL_MS", "100")]);
    let cutter = Cutter::before(&server.url).await;

    let cutting = async {
        sleep(Duration::from_secs(3)).await;
        cutter.cut();
    };
    let ((is_well, words), ()) = tokio::join!(check(&cutter.url, &["--seconds", "20"], &[]), cutting);

    assert!(!is_well);
    complains_of(&words, "cut", &["It was not silent", "STREAM_MAX_SECONDS"]);
}

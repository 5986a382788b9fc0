//! What the queue calls back with. All of it is signed: only what lies behind the signature is tried here.

use reqwest::{Client, Response};
use tidings::qstash_dev::Signer;

use super::fuzz;
use crate::{
    routes::webhooks::world::{CALLBACK, FAILURE, PUBLIC, World},
    support::queue::signer,
};

/// A longer head is refused before any route; the signature names the URL again.
const LONGEST_QUERY: usize = 4_000;

/// An example is the route's last word and the query on its first line, and the body behind it.
fn split(input: &[u8]) -> (&'static str, String, &[u8]) {
    let (head, body) = match input.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&input[..end], &input[end + 1..]),
        None => (input, &[][..]),
    };
    let head = String::from_utf8_lossy(head);
    let query = head.split_once('?').map_or("", |(_, query)| query);
    // What no URL can hold is not what is tried here.
    let query = query.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, '#' | '"' | '<' | '>' | '`'));
    (if head.starts_with("failure") { FAILURE } else { CALLBACK }, query.collect(), body)
}

async fn deliver(
    http: &Client,
    world: &World,
    signer: &Signer,
    path: &str,
    body: &[u8],
) -> reqwest::Result<Response> {
    let signature = signer.sign(&format!("{}{path}", PUBLIC), body);
    let url = format!("{}{path}", world.server.url);
    http.post(url).header("Upstash-Signature", signature).body(body.to_vec()).send().await
}

#[test]
fn a_signed_callback_is_taken_or_given_up_and_never_breaks_the_server() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut world = runtime.block_on(World::start());
    let mut document = runtime.block_on(world.scan());
    let signer = signer();
    // A server hangs up on a body that it will not read; the next request must not meet that connection.
    let http = Client::builder().pool_max_idle_per_host(0).build().unwrap();
    // As many as the world's queue takes.
    let mut fresh = 15;

    fuzz("qstash", |input| {
        let (route, query, body) = split(input);
        let query: String = query.replace("DOCUMENT", &document).chars().take(LONGEST_QUERY).collect();
        let path = format!("{route}?{query}");
        let answer = runtime.block_on(deliver(&http, &world, &signer, &path, body));
        let answer = answer.map_err(|error| format!("{path}: {error:?}"))?;
        let status = answer.status().as_u16();
        let text = runtime.block_on(answer.text()).map_err(|error| error.to_string())?;
        // One that has ended takes nothing more: the next variants need another.
        if text.contains("taken") && fresh > 0 {
            fresh -= 1;
            document = runtime.block_on(world.scan());
        }
        match status {
            200 | 489 => Ok(()),
            // The URL may not be read by both sides alike; then the signature is for another.
            401 if !query.chars().all(|c| c.is_ascii_alphanumeric() || "=&-_".contains(c)) => Ok(()),
            _ => Err(format!("{path} was answered {status}: {text}")),
        }
    });

    assert_eq!(runtime.block_on(world.server.get("/healthz").send()).unwrap().status(), 200);
    assert!(!world.server.log().contains("panicked"), "{}", world.server.log());
}

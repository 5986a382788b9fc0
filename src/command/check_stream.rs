//! `tidings check --url`: what lies between a stream and whoever watches it.
//!
//! It watches as a browser does. Clocks differ, so it compares the pauses between heartbeats as they
//! were sent with the pauses as they came.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use clap::Args;
use futures::StreamExt;
use reqwest::{Client, RequestBuilder, Response, StatusCode, Version, header};
use serde_json::Value;
use sse_stream::SseStream;
use tokio::time::timeout;
use url::Url;

use super::between::Between;

/// How long the head of an answer and the first event may take.
const BEGIN_WITHIN: Duration = Duration::from_secs(10);
/// What browsers offer to unpack.
const BROWSERS_UNPACK: &str = "gzip, deflate, br, zstd";
/// Watched where the URL names a server only.
const STREAM: &str = "/api/v1/patients/tidings-check/documents/stream";
/// Fewer heartbeats than this say nothing about bursts.
const LEAST_BEATS: usize = 3;

#[derive(Args)]
pub(super) struct StreamArguments {
    /// Watch a stream instead, or the server at this URL, and say what lies between
    #[arg(long)]
    url: Option<Url>,
    /// With --url: a viewer's token, or the service key
    #[arg(long, env = "TIDINGS_TOKEN", hide_env_values = true, requires = "url")]
    token: Option<String>,
    /// With --url: how long to watch; three heartbeats at least
    #[arg(long, default_value_t = 17, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
}

/// How a stream went while it was watched.
struct Watched {
    first_after: Option<Duration>,
    beats: Vec<Beat>,
    ended: Option<End>,
}

/// A heartbeat: when it was sent by the server's clock, and when it came by ours.
struct Beat {
    sent: DateTime<Utc>,
    came: Instant,
}

/// How a stream ended.
struct End {
    /// The server said so: `done` or `reconnect`, with its reason.
    told: Option<String>,
    after: Duration,
    silent_for: Duration,
}

/// What is said of one thing.
enum Finding {
    Good(String),
    Note(String),
    Bad(String),
}

/// Watches the stream that the arguments name; nothing where they name none.
pub(super) async fn run(arguments: StreamArguments) -> anyhow::Result<Option<ExitCode>> {
    let Some(mut url) = arguments.url else { return Ok(None) };
    if url.path() == "/" {
        url.set_path(STREAM);
    }
    let check = Check { client: Client::new(), url, token: arguments.token };
    let mut code = ExitCode::SUCCESS;
    for (thing, finding) in check.look(Duration::from_secs(arguments.seconds)).await {
        match finding {
            Finding::Good(words) => println!("ok    {thing}: {words}"),
            Finding::Note(words) => println!("note  {thing}: {words}"),
            Finding::Bad(words) => {
                println!("FAIL  {thing}: {words}");
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(Some(code))
}

struct Check {
    client: Client,
    url: Url,
    token: Option<String>,
}

impl Check {
    async fn look(&self, watch_for: Duration) -> Vec<(&'static str, Finding)> {
        let begun = Instant::now();
        let health = match timeout(BEGIN_WITHIN, self.client.get(self.health_url()).send()).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return vec![("server", Finding::Bad(unreachable(&self.url, &error)))],
            Err(_) => return vec![("server", Finding::Bad("does not answer within 10 s".into()))],
        };
        let between = Between::of(health.headers());
        let mut findings = vec![("server", Finding::Good(reached(&health, &between, begun.elapsed())))];
        let begun = Instant::now();
        let Ok(Ok(answer)) = timeout(BEGIN_WITHIN, self.stream("identity").send()).await else {
            findings.push(("buffering", held_back(&between)));
            return findings;
        };
        if let Some(refusal) = refusal(&answer) {
            findings.push(("stream", refusal));
            return findings;
        }
        findings.push(("http", version(&answer)));
        findings.push(("compression", self.compression(&between).await));
        let watched = Watched::watch(answer, begun, watch_for).await;
        findings.extend(watched.findings(&between, watch_for));
        findings
    }

    fn stream(&self, encodings: &'static str) -> RequestBuilder {
        let request = self.client.get(self.url.clone());
        let request =
            request.header(header::ACCEPT, "text/event-stream").header(header::ACCEPT_ENCODING, encodings);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    fn health_url(&self) -> Url {
        let mut url = self.url.clone();
        url.set_path("/healthz");
        url.set_query(None);
        url
    }

    /// Asks as browsers do; some proxies hold back what they pack.
    async fn compression(&self, between: &Between) -> Finding {
        let packed = |how: &str| Finding::Bad(format!("the stream comes as {how}. {}", between.uncompress()));
        match timeout(BEGIN_WITHIN, self.stream(BROWSERS_UNPACK).send()).await {
            Ok(Ok(answer)) => match answer.headers().get(header::CONTENT_ENCODING) {
                Some(encoding) => packed(&String::from_utf8_lossy(encoding.as_bytes())),
                None => Finding::Good("none".into()),
            },
            _ => packed("nothing at all once a browser offers to unpack it"),
        }
    }
}

fn unreachable(url: &Url, error: &reqwest::Error) -> String {
    let cause = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source()).last();
    let host = url.host_str().unwrap_or_default();
    let cause = cause.map(ToString::to_string).unwrap_or_default();
    format!("{host} cannot be reached: {cause}. Are host, port and certificate right, and is it up?")
}

fn reached(health: &Response, between: &Between, took: Duration) -> String {
    format!("{}/healthz answers {} in {} ms", between.name(), health.status().as_u16(), took.as_millis())
}

fn held_back(between: &Between) -> Finding {
    Finding::Bad(format!(
        "nothing of the stream came within {} s, though the server answers: it is held back. {}",
        BEGIN_WITHIN.as_secs(),
        between.unbuffer()
    ))
}

/// Says why an answer is no stream, where it is none.
fn refusal(answer: &Response) -> Option<Finding> {
    let kind = answer.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let words = match answer.status() {
        StatusCode::OK if kind.starts_with("text/event-stream") => return None,
        StatusCode::OK => {
            format!("answers {kind:?} and not text/event-stream: does the path lead to Tidings?")
        }
        StatusCode::UNAUTHORIZED => "asks for a token: give one with --token or TIDINGS_TOKEN".into(),
        StatusCode::FORBIDDEN => "refuses this token: it has to cover the patient in the URL".into(),
        status => format!("answers {status}: a browser gives such a stream up for good"),
    };
    Some(Finding::Bad(words))
}

fn version(answer: &Response) -> Finding {
    match answer.version() {
        Version::HTTP_2 | Version::HTTP_3 => Finding::Good(format!("{:?}", answer.version())),
        other => Finding::Note(format!(
            "{other:?}: a browser opens 6 connections to a host, over all tabs; with HTTP/2 that limit is gone"
        )),
    }
}

impl Watched {
    async fn watch(answer: Response, begun: Instant, watch_for: Duration) -> Self {
        let mut events = SseStream::from_bytes_stream(answer.bytes_stream());
        let mut watched = Self { first_after: None, beats: Vec::new(), ended: None };
        let (mut told, mut last) = (None, Instant::now());
        let until = tokio::time::Instant::now() + watch_for;
        while let Ok(next) = tokio::time::timeout_at(until, events.next()).await {
            let Some(Ok(event)) = next else {
                let (after, silent_for) = (begun.elapsed(), last.elapsed());
                watched.ended = Some(End { told, after, silent_for });
                break;
            };
            last = Instant::now();
            watched.first_after.get_or_insert_with(|| begun.elapsed());
            let data: Value =
                serde_json::from_str(event.data.as_deref().unwrap_or_default()).unwrap_or_default();
            match event.event.as_deref() {
                Some("heartbeat") => watched.beats.extend(Beat::of(&data, last)),
                Some("done") => told = Some("done".to_owned()),
                Some("reconnect") => told = data["reason"].as_str().map(str::to_owned),
                _ => {}
            }
        }
        watched
    }

    fn findings(&self, between: &Between, watched_for: Duration) -> Vec<(&'static str, Finding)> {
        let mut findings = vec![("first byte", self.first_byte(between, watched_for))];
        findings.extend(self.cut(between).map(|finding| ("cut", finding)));
        if self.first_after.is_some() && self.ended.is_none() {
            findings.push(("heartbeat", self.cadence(watched_for)));
            findings.extend(self.bursts(between).map(|finding| ("buffering", finding)));
        }
        findings
    }

    fn first_byte(&self, between: &Between, watched_for: Duration) -> Finding {
        match (self.first_after, &self.ended) {
            (Some(after), _) => Finding::Good(format!("the first event came after {} ms", after.as_millis())),
            (None, Some(_)) => Finding::Bad("the stream ended before its first event".into()),
            (None, None) => Finding::Bad(format!(
                "no event came within {} s: the stream is held back. {}",
                watched_for.as_secs(),
                between.unbuffer()
            )),
        }
    }

    fn cut(&self, between: &Between) -> Option<Finding> {
        let End { told, after, silent_for } = self.ended.as_ref()?;
        Some(match told.as_deref() {
            Some("overloaded") => Finding::Bad("the server holds all the streams it can: MAX_STREAMS".into()),
            Some(reason) => {
                Finding::Note(format!("the server itself ended the stream: {reason}; watch another one"))
            }
            None => Finding::Bad(format!(
                "the stream was cut after {} ms, {} ms of them silent. {}",
                after.as_millis(),
                silent_for.as_millis(),
                between.outlast(*silent_for)
            )),
        })
    }

    fn cadence(&self, watched_for: Duration) -> Finding {
        if self.beats.len() < 2 {
            let seconds = watched_for.as_secs();
            return Finding::Bad(format!(
                "{} came in {seconds} s, while one is sent each HEARTBEAT_INTERVAL_MS (5 s): watch for longer \
                 with --seconds, or something holds them back",
                self.beats.len()
            ));
        }
        let longest = self.pauses().map(|(_, came)| came).max().unwrap_or_default();
        Finding::Good(format!("{} came, the longest pause was {} ms", self.beats.len(), longest.as_millis()))
    }

    /// Heartbeats that were sent apart and came together have waited somewhere.
    fn bursts(&self, between: &Between) -> Option<Finding> {
        if self.beats.len() < LEAST_BEATS {
            return None;
        }
        let together = self.pauses().filter(|(sent, came)| *came < *sent / 4).count();
        Some(match together * 2 >= self.beats.len() - 1 {
            true => Finding::Bad(format!(
                "{together} of {} heartbeats came together with the one before, though they were sent apart. {}",
                self.beats.len(),
                between.unbuffer()
            )),
            false => Finding::Good("none: heartbeats come one by one".into()),
        })
    }

    /// The pauses between heartbeats: as they were sent, and as they came.
    fn pauses(&self) -> impl Iterator<Item = (Duration, Duration)> {
        self.beats.windows(2).map(|pair| {
            let sent = (pair[1].sent - pair[0].sent).to_std().unwrap_or_default();
            (sent, pair[1].came - pair[0].came)
        })
    }
}

impl Beat {
    fn of(data: &Value, came: Instant) -> Option<Self> {
        let sent = DateTime::parse_from_rfc3339(data["server_time"].as_str()?).ok()?;
        Some(Self { sent: sent.into(), came })
    }
}

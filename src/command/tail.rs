//! `tidings tail`: follows a stream in the terminal.

use std::{io::IsTerminal, process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use clap::Args;
use futures::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::{StatusCode, header};
use serde_json::{Value, json};
use sse_stream::{Sse, SseStream};
use url::Url;

use crate::{config::Config, event::Channel, http::stream_path};

#[derive(Args)]
pub(super) struct TailArguments {
    /// A channel such as `doc_progress:p1`, `chat:c1` or `transcode:7`, or the URL of a stream
    target: String,
    /// Begin with everything the log still holds
    #[arg(long)]
    earliest: bool,
    /// Go on after `done`
    #[arg(long)]
    follow: bool,
    /// A viewer's token
    #[arg(long, env = "TIDINGS_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

/// How the stream went on.
enum Next {
    /// Everything is over.
    Over,
    /// The connection ended: come back.
    Again,
}

/// A stream that is followed over many connections.
struct Tail {
    client: reqwest::Client,
    url: Url,
    token: Option<String>,
    last_id: Option<String>,
    retry: Duration,
    follow: bool,
    screen: Screen,
}

pub(super) async fn run(config: &Config, arguments: TailArguments) -> anyhow::Result<ExitCode> {
    let mut url = stream_url(config, &arguments.target)?;
    if arguments.follow {
        url.query_pairs_mut().append_pair("follow", "1");
    }
    let mut tail = Tail {
        client: reqwest::Client::new(),
        url,
        token: arguments.token,
        last_id: arguments.earliest.then(|| "earliest".into()),
        retry: Duration::from_secs(1),
        follow: arguments.follow,
        screen: Screen::new(),
    };
    loop {
        if matches!(tail.connect().await?, Next::Over) {
            return Ok(ExitCode::SUCCESS);
        }
        tokio::time::sleep(tail.retry).await;
    }
}

/// Gives the URL of the server on this machine.
pub(super) fn local_server(config: &Config) -> anyhow::Result<Url> {
    let host = config.server.host;
    let host = if host.is_unspecified() { [127, 0, 0, 1].into() } else { host };
    let address = std::net::SocketAddr::from((host, config.server.port));
    Ok(Url::parse(&format!("http://{address}/"))?)
}

fn stream_url(config: &Config, target: &str) -> anyhow::Result<Url> {
    if target.starts_with("http://") || target.starts_with("https://") {
        return Url::parse(target).context("read the URL");
    }
    let channel: Channel =
        target.parse().with_context(|| format!("{target:?} is neither a channel nor a URL"))?;
    Ok(local_server(config)?.join(&stream_path(&channel))?)
}

impl Tail {
    async fn connect(&mut self) -> anyhow::Result<Next> {
        let mut request = self.client.get(self.url.clone()).header(header::ACCEPT, "text/event-stream");
        if let Some(id) = &self.last_id {
            request = request.header("Last-Event-ID", id);
        }
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let Ok(answer) = request.send().await else {
            self.screen.note("the server does not answer; trying again");
            return Ok(Next::Again);
        };
        match answer.status() {
            StatusCode::OK => self.read(answer).await,
            StatusCode::NO_CONTENT => Ok(Next::Over),
            status if status.is_server_error() => Ok(Next::Again),
            status => bail!("the server answered {status}: {}", problem(answer).await),
        }
    }

    async fn read(&mut self, answer: reqwest::Response) -> anyhow::Result<Next> {
        let mut events = SseStream::from_bytes_stream(answer.bytes_stream());
        while let Some(Ok(event)) = events.next().await {
            let is_done = event.event.as_deref() == Some("done");
            self.take(event);
            if is_done && !self.follow {
                return Ok(Next::Over);
            }
        }
        Ok(Next::Again)
    }

    fn take(&mut self, event: Sse) {
        if let Some(retry) = event.retry {
            self.retry = Duration::from_millis(retry);
        }
        if let (Some(name), Some(data)) = (event.event, event.data) {
            self.screen.show(&name, event.id.as_deref(), &data);
        }
        self.last_id = event.id.or(self.last_id.take());
    }
}

async fn problem(answer: reqwest::Response) -> String {
    let problem: Value = answer.json().await.unwrap_or_default();
    problem["detail"].as_str().unwrap_or("no reason given").to_owned()
}

/// Shows events: on a terminal as a bar and lines, in a pipe as one JSON object a line.
enum Screen {
    Terminal(ProgressBar),
    Pipe,
}

impl Screen {
    fn new() -> Self {
        if !std::io::stdout().is_terminal() {
            return Self::Pipe;
        }
        let bar = ProgressBar::new(100);
        let style =
            ProgressStyle::with_template("{bar:30} {pos:>3} %  {msg}").expect("the template is valid");
        bar.set_style(style);
        Self::Terminal(bar)
    }

    fn note(&self, words: &str) {
        match self {
            Self::Terminal(bar) => bar.println(words),
            Self::Pipe => eprintln!("{words}"),
        }
    }

    fn show(&self, name: &str, id: Option<&str>, data: &str) {
        let data: Value = serde_json::from_str(data).unwrap_or_else(|_| data.into());
        match self {
            Self::Pipe => println!("{}", json!({ "event": name, "id": id, "data": data })),
            Self::Terminal(bar) => show_on_terminal(bar, name, &data),
        }
    }
}

fn show_on_terminal(bar: &ProgressBar, name: &str, data: &Value) {
    let text = |field: &str| data[field].as_str().unwrap_or_default().to_owned();
    match name {
        "progress" => {
            bar.set_position(data["percent"].as_u64().unwrap_or(0));
            bar.set_message(text("label"));
            bar.println(format!(
                "{}  {}  {} {}",
                text("document_id"),
                text("stage"),
                text("label"),
                text("detail")
            ));
        }
        "document_update" => bar.println(format!("{}  is {}", text("document_id"), text("status"))),
        "source" => bar.println(format!("source {} is {}", text("source"), text("state"))),
        "reconnect" => bar.println(format!("the server asks to come back: {}", text("reason"))),
        "done" => bar.finish_with_message("done"),
        "connected" | "heartbeat" => {}
        _ => bar.println(format!("{name}  {data}")),
    }
}

//! Takes requests in each of their forms and answers them.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, Method, request},
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use redis::Cmd;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{
    access::Access,
    backend::{Backend, StartError},
    command::Command,
    path,
    refusal::Refusal,
    reply::Encoding,
    scripts::Scripts,
    subscribe::{Kind, subscribe},
};
use crate::server::{self, Door};

const METHODS: [Method; 4] = [Method::HEAD, Method::GET, Method::POST, Method::PUT];
/// Largest request body in bytes, as on Upstash's smallest plan.
const MOST_BYTES: usize = 10 * 1024 * 1024;
/// Names a state for reads that follow; one Redis always shows all that was written.
const SYNC_TOKEN: HeaderValue = HeaderValue::from_static("one-redis");
/// How long open requests have to end once the front goes down.
const DRAIN_WITHIN: Duration = Duration::from_secs(2);

/// A Redis as Upstash would serve it.
pub struct RedisFront {
    backend: Backend,
    access: Access,
    scripts: Scripts,
    stop: CancellationToken,
}

impl RedisFront {
    /// Connects to a Redis. Without a token every program of this machine is let in, web pages are not.
    ///
    /// # Errors
    /// When the URL is none of a Redis, or the Redis does not answer.
    pub async fn connect(
        url: &str,
        token: Option<SecretString>,
        stop: CancellationToken,
    ) -> Result<Self, StartError> {
        let backend = Backend::connect(url).await?;
        Ok(Self { backend, access: Access::new(token), scripts: Scripts::default(), stop })
    }

    /// Serves until told to stop; subscriptions end then, and other requests have two seconds.
    pub async fn serve(self, listener: TcpListener) {
        let stop = self.stop.clone();
        let routes = Router::new().fallback(answer).with_state(Arc::new(self));
        server::serve(listener, routes, Door::default(), stop, DRAIN_WITHIN).await;
    }

    async fn handle(&self, request: Request) -> Result<Response, Refusal> {
        let (head, body) = request.into_parts();
        if !METHODS.contains(&head.method) {
            return Err(Refusal::Method);
        }
        self.access.check(&head.headers, head.uri.query().unwrap_or_default())?;
        let body = read(body).await?;
        let encoding = Encoding::asked_in(&head.headers);
        let parts = path::parts(head.uri.path());
        let (first, rest) = parts.split_first().map_or((&b""[..], &[][..]), |(first, rest)| (first, rest));
        match (first, rest) {
            (b"", []) => self.run(Command::read(&body)?, encoding).await,
            (b"pipeline", []) => self.run_several(&body, encoding).await,
            (b"multi-exec", []) => self.run_as_one(&body, encoding).await,
            (b"subscribe", names) => self.subscribe(Kind::Channels, names).await,
            (b"psubscribe", names) => self.subscribe(Kind::Patterns, names).await,
            _ => self.run(command_of(&head, parts, body)?, encoding).await,
        }
    }

    async fn run(&self, command: Command, encoding: Encoding) -> Result<Response, Refusal> {
        let reply = self.backend.run(command.prepare(&self.scripts)?).await?;
        let result = encoding.write(reply).map_err(Refusal::Command)?;
        Ok(Json(json!({ "result": result })).into_response())
    }

    async fn run_several(&self, body: &[u8], encoding: Encoding) -> Result<Response, Refusal> {
        let commands = Command::read_several(body)?.into_iter();
        let prepared: Vec<_> = commands.map(|command| command?.prepare(&self.scripts)).collect();
        let runnable: Vec<Cmd> =
            prepared.iter().filter_map(|command| command.as_ref().ok()).cloned().collect();
        let mut replies = self.backend.run_all(runnable).await?.into_iter();
        let answers = prepared.into_iter().map(|command| match command {
            Ok(_) => item(encoding.write(replies.next().unwrap_or_default())),
            Err(refusal) => refusal.json(),
        });
        Ok(Json(answers.collect::<Value>()).into_response())
    }

    async fn run_as_one(&self, body: &[u8], encoding: Encoding) -> Result<Response, Refusal> {
        let commands = Command::read_several(body)?.into_iter();
        let prepared = commands.map(|command| command?.prepare(&self.scripts));
        let replies = self.backend.run_as_one(prepared.collect::<Result<_, _>>()?).await?;
        let answers = replies.into_iter().map(|reply| item(encoding.write(reply)));
        Ok(Json(answers.collect::<Value>()).into_response())
    }

    async fn subscribe(&self, kind: Kind, names: &[Vec<u8>]) -> Result<Response, Refusal> {
        subscribe(&self.backend, kind, names, self.stop.clone()).await
    }
}

async fn answer(State(front): State<Arc<RedisFront>>, request: Request) -> Response {
    let mut response = front.handle(request).await.unwrap_or_else(IntoResponse::into_response);
    response.headers_mut().insert("upstash-sync-token", SYNC_TOKEN);
    response
}

/// Reads a body to its end even if it is too large: who still sends hears no answer.
async fn read(body: Body) -> Result<Vec<u8>, Refusal> {
    let (mut frames, mut bytes, mut is_too_large) = (body.into_data_stream(), Vec::new(), false);
    while let Some(frame) = frames.next().await {
        let frame = frame.map_err(|_| Refusal::command("ERR the body could not be read to its end"))?;
        is_too_large |= bytes.len() + frame.len() > MOST_BYTES;
        if !is_too_large {
            bytes.extend_from_slice(&frame);
        }
    }
    if is_too_large { Err(Refusal::Size) } else { Ok(bytes) }
}

/// Makes a command of a path, with the body as its last word and the query behind.
fn command_of(head: &request::Parts, mut words: Vec<Vec<u8>>, body: Vec<u8>) -> Result<Command, Refusal> {
    if !body.is_empty() && (head.method == Method::POST || head.method == Method::PUT) {
        words.push(body);
    }
    words.extend(path::query_words(head.uri.query().unwrap_or_default()));
    Command::new(words)
}

fn item(written: Result<Value, String>) -> Value {
    match written {
        Ok(result) => json!({ "result": result }),
        Err(text) => Refusal::Command(text).json(),
    }
}

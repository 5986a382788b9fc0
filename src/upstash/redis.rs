//! The client: one command, a pipeline, or a subscription.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use futures::StreamExt;
use reqwest::{Client, RequestBuilder, Response, header, redirect::Policy};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, timeout};
use url::Url;

use super::{
    billing::Account,
    command::Command,
    error::RedisError,
    reply::{self, Encoding, Reply},
    subscription::{Lines, Subscription},
};
use crate::telemetry::{Metrics, Vital};

/// Longest wait for a whole answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Largest answer that is read, in bytes: above what one record of the plans may hold.
const ANSWER_BYTES: usize = 128 * 1024 * 1024;

/// Speaks to one database over REST. Clones share connections and counts.
///
/// Once the database says that its quota is spent, calls that cost something fail with
/// [`RedisError::Quota`] for five minutes without being sent.
#[derive(Clone)]
pub struct RedisRest {
    client: Client,
    base: Url,
    token: Arc<SecretString>,
    account: Arc<Account>,
    answer_within: Duration,
    encoding: Encoding,
    vital: Option<Vital>,
}

impl RedisRest {
    /// Makes a client of a database's REST URL and token; nothing is sent yet.
    ///
    /// Of the URL, scheme, host, port and path count: no user, password or query is sent.
    ///
    /// # Panics
    /// If this machine cannot do TLS.
    #[must_use]
    pub fn new(url: Url, token: SecretString, metrics: Arc<Metrics>) -> Self {
        // A redirect would turn a POST into a GET, or carry commands to a host nobody named.
        let client = Client::builder().redirect(Policy::none()).build().expect("TLS is built in");
        Self {
            client,
            base: bare(url),
            token: Arc::new(token),
            account: Arc::new(Account::new(metrics)),
            answer_within: ANSWER_WITHIN,
            encoding: Encoding::Plain,
            vital: None,
        }
    }

    /// Sets the longest wait for a whole answer, and for a subscription to begin. Default 2 s.
    #[must_use]
    pub const fn with_timeout(mut self, answer_within: Duration) -> Self {
        self.answer_within = answer_within;
        self
    }

    /// Notes in `vital` how long each call takes.
    #[must_use]
    pub fn with_vital(mut self, vital: Vital) -> Self {
        self.vital = Some(vital);
        self
    }

    /// Asks for answers whose texts are Base64, as fronts need that cannot write them plainly.
    #[must_use]
    pub const fn with_base64(mut self, is_base64: bool) -> Self {
        self.encoding = if is_base64 { Encoding::Base64 } else { Encoding::Plain };
        self
    }

    /// Runs one command.
    ///
    /// # Errors
    /// [`RedisError`]; after some the command [may have run](RedisError::may_have_run).
    pub async fn command(&self, command: &Command) -> Result<Reply, RedisError> {
        self.account.admit(command.billed() == 0)?;
        let answer = self.call(self.base.clone(), command).await;
        let reply = answer.and_then(|answer| reply::one(answer, self.encoding));
        self.account.book([(command, reply.as_ref().err())]);
        reply
    }

    /// Runs commands in order, in one call; others' commands may come in between. None: no call.
    ///
    /// A command that fails does not stop those behind it.
    ///
    /// # Errors
    /// [`RedisError`] when the call as a whole failed; else each command has its own.
    pub async fn pipeline(&self, commands: &[Command]) -> Result<Vec<Result<Reply, RedisError>>, RedisError> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        self.account.admit(commands.iter().all(|command| command.billed() == 0))?;
        let answer = self.call(self.under(&["pipeline"]), commands).await;
        let replies = answer.and_then(|answer| reply::many(answer, commands.len(), self.encoding));
        match &replies {
            Ok(replies) => {
                let errors = replies.iter().map(|reply| reply.as_ref().err());
                self.account.book(commands.iter().zip(errors));
            }
            Err(error) => self.account.book(commands.iter().map(|command| (command, Some(error)))),
        }
        replies
    }

    /// Subscribes to a channel: what is published from the return of this on is in the stream.
    ///
    /// The stream has no time limit of its own; it fails with [`RedisError::Timeout`] after
    /// `silence` without a byte. A comma in the channel's name is not supported by the protocol.
    ///
    /// # Errors
    /// [`RedisError`] when the server does not confirm the subscription in time.
    pub async fn subscribe(&self, channel: &str, silence: Duration) -> Result<Subscription, RedisError> {
        self.account.admit(false)?;
        let lines = self.in_time(self.open(channel, silence)).await;
        self.account.book([(&Command::new("SUBSCRIBE"), lines.as_ref().err())]);
        lines.map(Lines::into_payloads)
    }

    /// Gives the time left in which nothing that is billed is sent, as the quota is spent.
    #[must_use]
    pub fn rests_for(&self) -> Option<Duration> {
        self.account.rests_for()
    }

    /// Counts `commands` more, for a script that tells in its reply how many calls it made.
    pub fn bill_more(&self, commands: u64) {
        self.account.bill(commands);
    }

    async fn open(&self, channel: &str, silence: Duration) -> Result<Lines, RedisError> {
        let request = self.post(self.under(&["subscribe", channel]));
        let answer = request.header(header::ACCEPT, "text/event-stream").send().await?;
        let status = answer.status();
        if !status.is_success() {
            let body = self.body(answer).await?;
            return Err(reply::read(status, &body).err().unwrap_or(RedisError::Garbled("no stream")));
        }
        Lines::of(answer, silence, Arc::clone(&self.account)).confirmed().await
    }

    async fn call<B: Serialize + ?Sized>(&self, url: Url, body: &B) -> Result<Value, RedisError> {
        let body = serde_json::to_vec(body).expect("a list of texts is JSON");
        self.in_time(async {
            self.account.sent(body.len());
            let request = self.post(url).header(header::CONTENT_TYPE, "application/json");
            let answer = request.body(body).send().await?;
            let status = answer.status();
            reply::read(status, &self.body(answer).await?)
        })
        .await
    }

    fn post(&self, url: Url) -> RequestBuilder {
        let request = self.client.post(url).bearer_auth(self.token.expose_secret());
        match self.encoding {
            Encoding::Plain => request,
            Encoding::Base64 => request.header("Upstash-Encoding", "base64"),
        }
    }

    async fn body(&self, answer: Response) -> Result<Vec<u8>, RedisError> {
        let mut body = Vec::new();
        let mut chunks = answer.bytes_stream();
        while let Some(chunk) = chunks.next().await.transpose()? {
            self.account.received(chunk.len());
            if body.len() + chunk.len() > ANSWER_BYTES {
                return Err(RedisError::Garbled("an answer without end"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, RedisError>>) -> Result<T, RedisError> {
        let began = Instant::now();
        let answer = timeout(self.answer_within, work).await.unwrap_or(Err(RedisError::Timeout));
        if let Some(vital) = &self.vital {
            vital.took(began.elapsed());
        }
        answer
    }

    fn under(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }
}

/// Takes away what would be sent beside the token, or shown in logs.
pub(super) fn bare(mut url: Url) -> Url {
    // A URL without a host cannot hold either; the first call to it fails.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url
}

impl fmt::Debug for RedisRest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RedisRest").field("host", &self.base.host_str()).finish_non_exhaustive()
    }
}

//! The Redis behind the front: one connection for all commands, one for each subscription.

use std::time::Duration;

use redis::{
    Client, Cmd, IntoConnectionInfo, Pipeline, ProtocolVersion, RedisError, Value,
    aio::{ConnectionManager, ConnectionManagerConfig, PubSub},
};

use super::refusal::Refusal;

const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// Twice what a script may take before Redis lets others interrupt it.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Tells why a Redis cannot be fronted.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The URL is none that a Redis has.
    #[error("the URL of the Redis cannot be used: {0}")]
    Url(RedisError),
    /// The Redis does not answer, or does not take the password.
    #[error("the Redis at {address} is not reachable: {cause}")]
    Unreachable {
        /// Its host and port.
        address: String,
        /// What went wrong.
        cause: RedisError,
    },
}

/// A Redis that is connected again whenever it comes back.
pub(super) struct Backend {
    client: Client,
    commands: ConnectionManager,
}

impl Backend {
    /// Connects.
    pub(super) async fn connect(url: &str) -> Result<Self, StartError> {
        let client = client(url).map_err(StartError::Url)?;
        let address = client.get_connection_info().addr().to_string();
        let unreachable = |cause| StartError::Unreachable { address, cause };
        let commands = client.get_connection_manager_with_config(config()).await.map_err(unreachable)?;
        Ok(Self { client, commands })
    }

    /// Runs one command.
    pub(super) async fn run(&self, command: Cmd) -> Result<Value, Refusal> {
        Ok(self.run_all(vec![command]).await?.pop().unwrap_or_default())
    }

    /// Runs commands in order, with others' between them; one reply or error for each.
    pub(super) async fn run_all(&self, commands: Vec<Cmd>) -> Result<Vec<Value>, Refusal> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let pipeline = pipeline_of(commands);
        self.send(&pipeline, 0, pipeline.len()).await
    }

    /// Runs commands in order with no others between them, or none of them.
    pub(super) async fn run_as_one(&self, commands: Vec<Cmd>) -> Result<Vec<Value>, Refusal> {
        let mut pipeline = pipeline_of(commands);
        pipeline.atomic();
        // MULTI and each command are acknowledged before the one reply to EXEC.
        match self.send(&pipeline, pipeline.len() + 1, 1).await?.pop() {
            Some(Value::Array(replies)) => Ok(replies),
            _ => Err(Refusal::command("EXECABORT Transaction discarded")),
        }
    }

    /// Opens a connection for a subscription.
    pub(super) async fn open_subscription(&self) -> Result<PubSub, Refusal> {
        let opened = tokio::time::timeout(CONNECT_WITHIN, self.client.get_async_pubsub()).await;
        Ok(opened.map_err(|_| Refusal::Unreachable)??)
    }

    async fn send(&self, pipeline: &Pipeline, skip: usize, count: usize) -> Result<Vec<Value>, Refusal> {
        let mut connection = self.commands.clone();
        let sent = connection.send_packed_commands(pipeline, skip, count).await;
        match sent {
            // That was the last attempt to connect, maybe long ago: nothing has been sent.
            Err(error) if error.is_connection_refusal() => {
                Ok(connection.send_packed_commands(pipeline, skip, count).await?)
            }
            sent => Ok(sent?),
        }
    }
}

fn client(url: &str) -> Result<Client, RedisError> {
    let info = url.into_connection_info()?;
    // Its replies are the ones that Upstash writes as JSON: a hash is a flat list.
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP2);
    Client::open(info.set_redis_settings(settings))
}

fn config() -> ConnectionManagerConfig {
    ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECT_WITHIN))
        .set_response_timeout(Some(ANSWER_WITHIN))
        // The next request tries again; this one is told at once.
        .set_number_of_retries(0)
}

fn pipeline_of(commands: Vec<Cmd>) -> Pipeline {
    let mut pipeline = Pipeline::with_capacity(commands.len());
    for command in commands {
        pipeline.add_command(command);
    }
    pipeline
}

//! The Vercel function: the same router behind the platform's own bridge.
//!
//! The bridge calls an invocation over as soon as the head of its answer is out. `invocation` holds
//! it until the last byte is told and the work behind it is done. On SIGTERM the platform leaves
//! 500 ms; the bridge alone would use them up waiting.

mod invocation;

use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use self::invocation::Invocations;
use crate::{App, config::Config, raise_descriptor_limit};

/// How long streams have to say goodbye after SIGTERM.
const STREAMS_END_WITHIN: Duration = Duration::from_millis(200);
/// How long the last events and the database have after that: 50 ms of the 500 are kept back.
const FINISH_WITHIN: Duration = Duration::from_millis(250);

/// Serves invocations until SIGTERM, then ends within 450 ms.
///
/// # Errors
/// When the app cannot be put together or the bridge fails.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    let terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let shutdown = CancellationToken::new();
    let descriptors = raise_descriptor_limit();
    let app = App::start(&config, shutdown.clone()).await?;
    let invocations = Invocations::new(app.router(), app.background(), config.streams.longest);
    tracing::info!(
        transport = config.broker.as_str(),
        descriptors,
        most_streams = config.streams.most,
        "serving invocations"
    );
    let served = tokio::select! {
        served = vercel_runtime::run(invocations) => served.map_err(|error| anyhow!(error)),
        () = end(terminate, &shutdown) => Ok(()),
    };
    app.finish_within(FINISH_WITHIN).await;
    served.context("speak to the platform")
}

/// Tells streams to come back once the platform asks, and gives them time to.
async fn end(mut terminate: Signal, shutdown: &CancellationToken) {
    terminate.recv().await;
    tracing::info!("going down: streams are told to come back");
    shutdown.cancel();
    sleep(STREAMS_END_WITHIN).await;
}

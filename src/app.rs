//! Puts the rooms together and runs them behind one listener.

use std::{future::Future, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    broker::{Broker, Emitter, EmitterLimits, MemoryBroker, MemoryLimits},
    clock::Clock,
    config::{BrokerConfig, Config, StorageConfig, StreamsConfig},
    documents::{
        DocumentStore, Files, Pipeline, SqliteStore, StatusReader, StatusSettings,
        text_layer::TextLayerReader,
    },
    http::{self, Access, Parts},
    hub::{Hub, HubSettings},
    listener::StallGuard,
    stream::{Pulse, StreamSettings, Streams},
    telemetry::Metrics,
};

/// How long open requests have to end once the server goes down.
const DRAIN_WITHIN: Duration = Duration::from_secs(3);
/// How long events and documents under way have after that.
const FINISH_WITHIN: Duration = Duration::from_millis(1_500);
/// A log has to outlive the silence after which its document counts as abandoned, by this much.
const SILENCE_MARGIN: Duration = Duration::from_secs(60);

/// A server's parts, put together; serve its router with [`run`] or in your own service.
pub struct App {
    router: Router,
    emitter: Emitter,
    pipeline: Pipeline,
    store: SqliteStore,
    access: String,
    stop: CancellationToken,
}

impl App {
    /// Puts a server together; its streams end when `shutdown` is cancelled.
    ///
    /// # Errors
    /// When a store cannot be opened or its tables cannot be brought up to date.
    pub async fn start(config: &Config, shutdown: CancellationToken) -> anyhow::Result<Self> {
        let clock = Clock::System;
        let metrics = Arc::new(Metrics::default());
        let stop = CancellationToken::new();
        let broker = open_broker(config, clock);
        let emitter =
            Emitter::start(Arc::clone(&broker), clock, Arc::clone(&metrics), EmitterLimits::default());
        let store = open_store(&config.storage, clock).await?;
        let files = Files::in_folder(&config.storage.files)
            .with_context(|| format!("use the folder {} for files", config.storage.files.display()))?;
        let hub_settings =
            HubSettings { log_time_to_live: config.streams.event_time_to_live, ..HubSettings::default() };
        let hub = Hub::start(broker, clock, Arc::clone(&metrics), hub_settings, stop.clone());
        let statuses = StatusReader::start(
            Arc::new(store.clone()),
            clock,
            Arc::clone(&metrics),
            StatusSettings {
                interval: config.streams.status_interval,
                active_for: config.streams.active_for,
            },
            stop.clone(),
        );
        let streams = Streams::new(
            hub.clone(),
            statuses.clone(),
            Pulse::start(clock, config.streams.heartbeat_interval, stop.clone()),
            clock,
            Arc::clone(&metrics),
            stream_settings(&config.streams),
            shutdown,
        );
        let shared_store: Arc<dyn DocumentStore> = Arc::new(store.clone());
        let pipeline = Pipeline::new(
            Arc::clone(&shared_store),
            files.clone(),
            emitter.clone(),
            TextLayerReader::new(text_layer_program(config)?),
            Arc::clone(&metrics),
            clock,
        );
        let access = Access::new(&config.access, clock);
        let dev_token = dev_token(&access);
        let router = http::router(Parts {
            emitter: emitter.clone(),
            hub,
            streams,
            statuses,
            store: shared_store,
            files,
            pipeline: pipeline.clone(),
            access,
            access_config: config.access.clone(),
            metrics,
            clock,
        });
        Ok(Self { router, emitter, pipeline, store, access: dev_token, stop })
    }

    /// Gives the routes, to be served or merged into another router.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Gives the emitter, for work that runs in this process.
    #[must_use]
    pub const fn emitter(&self) -> &Emitter {
        &self.emitter
    }

    /// Gives a token for the patient `demo` that lasts 12 hours, to try things with.
    #[must_use]
    pub fn dev_token(&self) -> &str {
        &self.access
    }

    /// Takes up the documents that a process left under way.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn resume(&self) -> anyhow::Result<usize> {
        self.pipeline.resume_unfinished().await.context("read the documents under way")
    }

    /// Lets the work under way end, hands the last events over and closes the stores.
    pub async fn finish(self) {
        if !self.pipeline.finish(FINISH_WITHIN).await {
            tracing::warn!("documents are still under way; they are taken up at the next start");
        }
        if !self.emitter.flush(FINISH_WITHIN).await {
            tracing::warn!("events were lost: the broker did not take them in time");
        }
        self.stop.cancel();
        self.store.close().await;
    }
}

/// Serves until `shutdown` is cancelled, then ends within about five seconds.
///
/// # Errors
/// When the server cannot be put together or the listener fails.
pub async fn run(config: Config, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
    let app = App::start(&config, shutdown.clone()).await?;
    serve(app, listener, shutdown).await
}

/// Serves an app until `shutdown` is cancelled, then ends within about five seconds.
///
/// # Errors
/// When the listener fails.
pub async fn serve(app: App, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
    let resumed = app.resume().await?;
    if resumed > 0 {
        tracing::info!(documents = resumed, "took up documents that were under way");
    }
    let serving = axum::serve(StallGuard::new(listener), app.router())
        .with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let served = within_after(serving.into_future(), &shutdown).await;
    app.finish().await;
    served
}

/// Awaits the server; once it goes down, for [`DRAIN_WITHIN`] only.
async fn within_after(
    serving: impl Future<Output = std::io::Result<()>>,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let deadline = async {
        shutdown.cancelled().await;
        tokio::time::sleep(DRAIN_WITHIN).await;
    };
    tokio::select! {
        served = serving => served.context("serve"),
        () = deadline => {
            tracing::warn!("requests were still open and have been cut");
            Ok(())
        }
    }
}

fn open_broker(config: &Config, clock: Clock) -> Arc<dyn Broker> {
    let time_to_live = config.streams.event_time_to_live;
    match config.broker {
        BrokerConfig::Memory => {
            Arc::new(MemoryBroker::new(clock, MemoryLimits { time_to_live, ..MemoryLimits::default() }))
        }
    }
}

async fn open_store(config: &StorageConfig, clock: Clock) -> anyhow::Result<SqliteStore> {
    let store = connect(&config.database_url, clock).await?;
    if config.migrate_on_start {
        migrate(config).await?;
    }
    Ok(store)
}

/// Brings the tables up to date and says how many migrations are applied.
///
/// # Errors
/// When the database cannot be opened or a migration fails.
pub async fn migrate(config: &StorageConfig) -> anyhow::Result<usize> {
    let url = config.database_direct_url.as_ref().unwrap_or(&config.database_url);
    let store = connect(url, Clock::System).await?;
    let applied = store.migrate().await.context("bring the tables up to date")?;
    store.close().await;
    Ok(applied)
}

async fn connect(url: &str, clock: Clock) -> anyhow::Result<SqliteStore> {
    if let Some(folder) = PathBuf::from(url.trim_start_matches("sqlite://")).parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("make the folder {}", folder.display()))?;
    }
    SqliteStore::open(url, clock).await.context("open the database that DATABASE_URL names")
}

fn stream_settings(config: &StreamsConfig) -> StreamSettings {
    StreamSettings {
        longest: config.longest,
        active_for: config.active_for,
        silent_for: config.event_time_to_live.saturating_sub(SILENCE_MARGIN),
        most: config.most,
    }
}

fn text_layer_program(config: &Config) -> anyhow::Result<PathBuf> {
    match &config.server.text_layer_program {
        Some(program) => Ok(program.clone()),
        None => {
            std::env::current_exe().context("find this program, which reads PDFs in a process of its own")
        }
    }
}

fn dev_token(access: &Access) -> String {
    let channels = vec!["doc_progress:demo".to_owned(), "chat:demo".to_owned()];
    let issued = access.issue(channels, "patient".into(), Duration::from_secs(12 * 3_600), None);
    issued.map(|(token, _)| token).unwrap_or_default()
}

//! Puts the rooms together and runs them behind one listener.

use std::{future::Future, path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use axum::Router;
use tokio::{net::TcpListener, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    broker::{
        Broker, CLOCK_ALLOWANCE, Emitter, EmitterLimits, MemoryBroker, MemoryLimits, UpstashBroker,
        UpstashSettings,
    },
    clock::Clock,
    config::{BrokerConfig, Config, StorageConfig},
    documents::{
        self, DatabaseUrl, DocumentStore, Files, Pipeline, StatusReader, StatusSettings, StatusSql,
        text_layer::TextLayerReader,
    },
    http::{self, Access, Parts},
    hub::{Hub, HubSettings},
    listener::StallGuard,
    stream::{Pulse, StreamSettings, Streams},
    telemetry::{Board, Metrics, Traces},
    upstash::RedisRest,
};

/// How long open requests have to end once the server goes down.
const DRAIN_WITHIN: Duration = Duration::from_millis(2_500);
/// How long documents under way have after that, and how long the last events.
const FINISH_WITHIN: Duration = Duration::from_secs(1);
/// How long the database has to close.
const CLOSE_WITHIN: Duration = Duration::from_millis(400);
/// A log has to outlive the silence after which its document counts as abandoned, by this much.
const SILENCE_MARGIN: Duration = Duration::from_secs(60);

/// A server's parts, put together; serve its router with [`run`] or in your own service.
pub struct App {
    router: Router,
    emitter: Emitter,
    traces: Traces,
    pipeline: Pipeline,
    store: Arc<dyn DocumentStore>,
    dev_token: String,
    stop: CancellationToken,
}

/// What every part is given.
struct Base<'a> {
    config: &'a Config,
    clock: Clock,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
}

impl App {
    /// Puts a server together; its streams end when `shutdown` is cancelled.
    ///
    /// # Errors
    /// When a store cannot be opened or its tables cannot be brought up to date.
    pub async fn start(config: &Config, shutdown: CancellationToken) -> anyhow::Result<Self> {
        let base =
            Base { config, clock: Clock::System, metrics: Arc::default(), stop: CancellationToken::new() };
        let store = base.open_store().await?;
        let files = Files::open(&config.storage.files, Arc::clone(&base.metrics))
            .await
            .context("use the place that STORAGE_URL names for files")?;
        let broker = base.open_broker();
        let emitter = Emitter::start(
            Arc::clone(&broker),
            base.clock,
            Arc::clone(&base.metrics),
            EmitterLimits::default(),
        );
        let traces = base.start_traces()?;
        let emitter = emitter.traced_by(traces.clone());
        let pipeline = base.pipeline(Arc::clone(&store), files.clone(), emitter.clone());
        let (hub, statuses) = (base.start_hub(broker), base.start_status_reader(Arc::clone(&store)));
        let streams = base.streams(hub.clone(), statuses.clone(), shutdown.clone());
        let access = Access::new(&config.access, base.clock);
        let dev_token = dev_token(&access);
        let router = http::router(Parts {
            emitter: emitter.clone(),
            hub,
            streams,
            statuses,
            store: Arc::clone(&store),
            files,
            pipeline: pipeline.clone(),
            access,
            allowed_origins: config.access.allowed_origins.clone(),
            board: Board::start(Arc::clone(&base.metrics), shutdown),
            metrics: base.metrics,
        });
        Ok(Self { router, emitter, traces, pipeline, store, dev_token, stop: base.stop })
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
        &self.dev_token
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
        let (are_events_stored, are_spans_sent) =
            tokio::join!(self.emitter.flush(FINISH_WITHIN), self.traces.flush(FINISH_WITHIN));
        if !are_events_stored {
            tracing::warn!("events were lost: the broker did not take them in time");
        }
        if !are_spans_sent {
            tracing::warn!("spans were lost: the receiver of traces did not take them in time");
        }
        self.stop.cancel();
        // A writer that waits for the database would hold the process up.
        let _ = timeout(CLOSE_WITHIN, self.store.close()).await;
    }
}

/// Serves until `shutdown` is cancelled, then ends within five seconds.
///
/// # Errors
/// When the server cannot be put together or the listener fails.
pub async fn run(config: Config, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
    let app = App::start(&config, shutdown.clone()).await?;
    serve(app, listener, shutdown).await
}

/// Serves an app until `shutdown` is cancelled, then ends within five seconds.
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

impl Base<'_> {
    async fn open_store(&self) -> anyhow::Result<Arc<dyn DocumentStore>> {
        let config = &self.config.storage;
        let url = &config.database_url;
        if let Some(settings) = &config.status_sql {
            return Ok(Arc::new(StatusSql::open(url, settings, Arc::clone(&self.metrics)).await?));
        }
        make_folder(url)?;
        let store = documents::open(url, self.clock).await;
        let store = store.context("open the database that DATABASE_URL names")?;
        if config.migrate_on_start {
            migrate(config).await?;
        }
        Ok(store)
    }

    fn open_broker(&self) -> Arc<dyn Broker> {
        let time_to_live = self.config.streams.event_time_to_live;
        match &self.config.broker {
            BrokerConfig::Memory => Arc::new(MemoryBroker::new(
                self.clock,
                MemoryLimits { time_to_live, ..MemoryLimits::default() },
            )),
            BrokerConfig::Upstash(config) => {
                let redis =
                    RedisRest::new(config.url.clone(), config.token.clone(), Arc::clone(&self.metrics));
                let settings = UpstashSettings {
                    poll_interval: config.poll_interval,
                    idle_poll_interval: config.idle_poll_interval,
                    wake: config.wake,
                    emit: config.emit,
                    time_to_live,
                    ..UpstashSettings::default()
                };
                Arc::new(UpstashBroker::new(redis, self.clock, Arc::clone(&self.metrics), settings))
            }
        }
    }

    fn start_traces(&self) -> anyhow::Result<Traces> {
        let start = |config| Traces::start(config, Arc::clone(&self.metrics));
        Ok(self.config.traces.as_ref().map(start).transpose()?.unwrap_or_default())
    }

    fn start_hub(&self, broker: Arc<dyn Broker>) -> Hub {
        let log_time_to_live = self.config.streams.event_time_to_live;
        let settings = HubSettings { log_time_to_live, ..HubSettings::default() };
        Hub::start(broker, self.clock, Arc::clone(&self.metrics), settings, self.stop.clone())
    }

    fn start_status_reader(&self, store: Arc<dyn DocumentStore>) -> StatusReader {
        let streams = &self.config.streams;
        let settings = StatusSettings { interval: streams.status_interval, active_for: streams.active_for };
        StatusReader::start(store, self.clock, Arc::clone(&self.metrics), settings, self.stop.clone())
    }

    fn pipeline(&self, store: Arc<dyn DocumentStore>, files: Files, emitter: Emitter) -> Pipeline {
        let program = self.config.server.text_layer_program.clone().unwrap_or_else(|| "tidings".into());
        let reader = TextLayerReader::new(program);
        Pipeline::new(store, files, emitter, reader, Arc::clone(&self.metrics), self.clock)
    }

    fn streams(&self, hub: Hub, statuses: StatusReader, shutdown: CancellationToken) -> Streams {
        let streams = &self.config.streams;
        let pulse = Pulse::start(self.clock, streams.heartbeat_interval, self.stop.clone());
        let settings = StreamSettings {
            longest: streams.longest,
            active_for: streams.active_for,
            silent_for: streams.event_time_to_live.saturating_sub(SILENCE_MARGIN),
            logged_for: streams.event_time_to_live + CLOCK_ALLOWANCE,
            most: streams.most,
        };
        Streams::new(hub, statuses, pulse, self.clock, Arc::clone(&self.metrics), settings, shutdown)
    }
}

/// Brings the tables up to date and says how many migrations are applied; none with `STATUS_SQL`.
///
/// # Errors
/// When the database cannot be opened or a migration fails.
pub async fn migrate(config: &StorageConfig) -> anyhow::Result<usize> {
    if config.status_sql.is_some() {
        return Ok(0);
    }
    let (url, variable) = match &config.database_direct_url {
        Some(direct) => (direct, "DATABASE_DIRECT_URL"),
        None => (&config.database_url, "DATABASE_URL"),
    };
    make_folder(url)?;
    let applied = documents::migrate(url).await;
    applied.with_context(|| format!("bring the tables of {variable} up to date"))
}

fn make_folder(url: &DatabaseUrl) -> anyhow::Result<()> {
    let DatabaseUrl::Sqlite(url) = url else { return Ok(()) };
    let Some(folder) = Path::new(url.trim_start_matches("sqlite://")).parent() else { return Ok(()) };
    std::fs::create_dir_all(folder).with_context(|| format!("make the folder {}", folder.display()))
}

fn dev_token(access: &Access) -> String {
    let channels = vec!["doc_progress:demo".to_owned(), "chat:demo".to_owned()];
    let issued = access.issue(channels, "patient".into(), Duration::from_secs(12 * 3_600), None);
    issued.map(|(token, _)| token).unwrap_or_default()
}

//! Puts the rooms together and runs them behind one listener.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use axum::Router;
use tokio::{net::TcpListener, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    broker::{Broker, CLOCK_ALLOWANCE, Emitter, EmitterLimits, MemoryBroker, MemoryLimits, UpstashBroker},
    cache::{Cache, CacheSettings},
    chat::{self, Chat, ChatStore, ForgetfulChatStore, MessageReader, Responder},
    clock::Clock,
    config::{BrokerConfig, Config, OcrConfig, ResponderConfig, StorageConfig},
    documents::{
        self, Connections, DatabaseUrl, DocumentStore, Files, ForgetfulStore, Lookups, Pipeline, Readers,
        StatusReader, StatusSettings, StatusSql,
        analysis::{Analyzer, HttpAnalyzer, RuleAnalyzer},
        ocr::{FileLinks, OcrDispatcher},
        text_layer::TextLayerReader,
    },
    http::{self, Access, OcrDoor, Parts, SignedFileLinks, Vitals},
    hub::{Hub, HubSettings},
    limits::Limits,
    server::{self, Door},
    stream::{Pulse, StreamSettings, Streams},
    telemetry::{Board, Metrics, Traces, Vital},
    upstash::{QStash, RedisRest},
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
    chat: Chat,
    responder: Option<Responder>,
    traces: Traces,
    pipeline: Pipeline,
    store: Arc<dyn DocumentStore>,
    dev_token: String,
    limits: Arc<Limits>,
    metrics: Arc<Metrics>,
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
        let vitals = Vitals {
            clock: base.clock,
            started_at: base.clock.milliseconds(),
            broker: Vital::new(base.clock),
        };
        let redis = base.redis();
        let cache = base.open_cache(redis.as_ref());
        let (store, connections) = base.open_store(cache.clone()).await?;
        let messages = chat::over(&connections, base.clock);
        let messages: Arc<dyn ChatStore> = Arc::new(ForgetfulChatStore::before(messages, cache.clone()));
        let files = Files::open(&config.storage.files, Arc::clone(&base.metrics))
            .await
            .context("use the place that STORAGE_URL names for files")?;
        let broker = base.open_broker(redis, &vitals.broker);
        let emitter = Emitter::start(
            Arc::clone(&broker),
            base.clock,
            Arc::clone(&base.metrics),
            EmitterLimits::default(),
        );
        let traces = base.start_traces()?;
        let emitter = emitter.traced_by(traces.clone());
        let (dispatcher, door) = base.ocr(&files).unzip();
        let chat = Chat::new(Arc::clone(&messages), emitter.clone(), Arc::clone(&base.metrics));
        let pipeline =
            base.pipeline(Arc::clone(&store), files.clone(), emitter.clone(), chat.clone(), dispatcher);
        pipeline.keep_leases();
        let (hub, statuses) = (base.start_hub(broker), base.start_status_reader(Arc::clone(&store)));
        vitals.broker.follow(hub.source_state(), base.stop.clone());
        let message_reader = base.start_message_reader(Arc::clone(&messages), cache.clone());
        let responder = base.start_responder(&chat, messages, Arc::clone(&store), message_reader.clone());
        let readers = (statuses.clone(), message_reader);
        let streams = base.streams(hub.clone(), readers, shutdown.clone());
        let access = Access::new(&config.access, base.clock);
        let dev_token = dev_token(&access);
        let limits = Arc::new(Limits::new(&config.limits, Arc::clone(&base.metrics)));
        let router = http::router(Parts {
            emitter: emitter.clone(),
            hub,
            streams,
            statuses,
            lookups: Lookups::new(Arc::clone(&store), cache, base.clock),
            store: Arc::clone(&store),
            files,
            pipeline: pipeline.clone(),
            ocr: door,
            chat: chat.clone(),
            responder: responder.clone(),
            kinds: config.streams.kinds.clone(),
            access,
            limits: Arc::clone(&limits),
            allowed_origins: config.access.allowed_origins.clone(),
            vitals,
            board: Board::start(Arc::clone(&base.metrics), shutdown),
            metrics: Arc::clone(&base.metrics),
        });
        let Base { metrics, stop, .. } = base;
        let app = Self {
            router,
            emitter,
            chat,
            responder,
            traces,
            pipeline,
            store,
            dev_token,
            limits,
            metrics,
            stop,
        };
        Ok(app)
    }

    /// Puts a server together, unless `shutdown` comes first: a database may keep a start waiting.
    pub(crate) async fn start_unless(
        config: &Config,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<Option<Self>> {
        shutdown.run_until_cancelled(Self::start(config, shutdown.clone())).await.transpose()
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

    /// Gives the chats, for work in this process that answers in them.
    #[must_use]
    pub const fn chat(&self) -> &Chat {
        &self.chat
    }

    /// Gives a token for the patient `demo` that lasts 12 hours, to try things with.
    #[must_use]
    pub fn dev_token(&self) -> &str {
        &self.dev_token
    }

    /// Takes up the documents that nobody works on; later ones are taken up by themselves.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn resume(&self) -> anyhow::Result<usize> {
        self.pipeline.take_up().await.context("read the documents under way")
    }

    /// Gives the work that requests leave behind.
    pub(crate) fn background(&self) -> Background {
        Background {
            pipeline: self.pipeline.clone(),
            responder: self.responder.clone(),
            emitter: self.emitter.clone(),
            traces: self.traces.clone(),
        }
    }

    /// Lets the work under way end, hands the last events over and closes the stores.
    pub async fn finish(self) {
        let (are_documents_done, ()) =
            tokio::join!(self.pipeline.finish(FINISH_WITHIN), self.finish_answers(FINISH_WITHIN));
        if !are_documents_done {
            tracing::warn!("documents are still under way; another process takes them up, or the next start");
        }
        self.close(FINISH_WITHIN, CLOSE_WITHIN).await;
    }

    /// Does the same in haste: documents under way are dropped at once.
    pub(crate) async fn finish_within(self, within: Duration) {
        let dropping = async {
            if !self.pipeline.finish(Duration::ZERO).await {
                tracing::warn!("documents are still under way");
            }
        };
        // A confirm under way cannot be dropped, and may wait for a bucket.
        let _ = tokio::join!(timeout(within / 4, dropping), self.finish_answers(within / 4));
        self.close(within / 2, within / 4).await;
    }

    async fn finish_answers(&self, within: Duration) {
        let Some(responder) = &self.responder else { return };
        if !responder.finish(within).await {
            tracing::warn!("answers are still under way; another process takes them up");
        }
    }

    async fn close(self, flush_within: Duration, close_within: Duration) {
        let (_, are_events_stored, are_spans_sent) = tokio::join!(
            self.pipeline.release(flush_within),
            self.emitter.flush(flush_within),
            self.traces.flush(flush_within),
        );
        if !are_events_stored {
            tracing::warn!("events were lost: the broker did not take them in time");
        }
        if !are_spans_sent {
            tracing::warn!("spans were lost: the receiver of traces did not take them in time");
        }
        self.stop.cancel();
        // A writer that waits for the database would hold the process up.
        let _ = timeout(close_within, self.store.close()).await;
    }
}

/// The work that requests leave behind: documents, answers, events and their spans. Clones share it.
#[derive(Clone)]
pub(crate) struct Background {
    pipeline: Pipeline,
    responder: Option<Responder>,
    emitter: Emitter,
    traces: Traces,
}

impl Background {
    /// Waits until no document and no answer is under way and all events and spans are taken or given up.
    pub(crate) async fn done(&self) {
        self.pipeline.idle().await;
        if let Some(responder) = &self.responder {
            responder.idle().await;
        }
        self.emitter.flush(Duration::MAX).await;
        // A process that is frozen between invocations sends nothing.
        self.traces.flush(Duration::MAX).await;
    }
}

/// Serves until `shutdown` is cancelled, then ends within five seconds.
///
/// # Errors
/// When the server cannot be put together.
pub async fn run(config: Config, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
    match App::start_unless(&config, &shutdown).await? {
        Some(app) => serve(app, listener, shutdown).await,
        None => Ok(()),
    }
}

/// Serves an app until `shutdown` is cancelled, then ends within five seconds.
///
/// # Errors
/// When the documents under way cannot be read.
pub async fn serve(app: App, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
    if let Some(resumed) = shutdown.run_until_cancelled(app.resume()).await {
        resumed?;
    }
    let door = Door::of(&app.limits, &app.metrics);
    server::serve(listener, app.router(), door, shutdown, DRAIN_WITHIN).await;
    app.finish().await;
    Ok(())
}

impl Base<'_> {
    fn redis(&self) -> Option<RedisRest> {
        let BrokerConfig::Upstash(config) = &self.config.broker else { return None };
        Some(RedisRest::new(config.url.clone(), config.token.clone(), Arc::clone(&self.metrics)))
    }

    fn open_cache(&self, redis: Option<&RedisRest>) -> Cache {
        let (metrics, settings) = (Arc::clone(&self.metrics), CacheSettings::default());
        match redis {
            Some(redis) => Cache::over(redis, self.clock, metrics, settings),
            None => Cache::in_memory(metrics, settings),
        }
    }

    async fn open_store(&self, cache: Cache) -> anyhow::Result<(Arc<dyn DocumentStore>, Connections)> {
        let config = &self.config.storage;
        let url = &config.database_url;
        if let Some(settings) = &config.status_sql {
            let statuses = StatusSql::open(url, settings, Arc::clone(&self.metrics)).await?;
            return Ok((Arc::new(statuses), Connections::ReadOnly));
        }
        make_folder(url)?;
        let opened = documents::open_shared(url, self.clock).await;
        let opened = opened.context("open the database that DATABASE_URL names")?;
        if config.migrate_on_start {
            migrate(config).await?;
        }
        let (store, connections) = opened;
        Ok((Arc::new(ForgetfulStore::before(store, cache)), connections))
    }

    fn open_broker(&self, redis: Option<RedisRest>, vital: &Vital) -> Arc<dyn Broker> {
        let time_to_live = self.config.streams.event_time_to_live;
        let (BrokerConfig::Upstash(config), Some(redis)) = (&self.config.broker, redis) else {
            let limits = MemoryLimits { time_to_live, ..MemoryLimits::default() };
            return Arc::new(MemoryBroker::new(self.clock, limits));
        };
        let settings = config.broker_settings(time_to_live);
        let redis = redis.with_vital(vital.clone());
        Arc::new(UpstashBroker::new(redis, self.clock, Arc::clone(&self.metrics), settings))
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

    fn start_message_reader(&self, store: Arc<dyn ChatStore>, cache: Cache) -> MessageReader {
        let interval = self.config.streams.status_interval;
        MessageReader::start(store, cache, Arc::clone(&self.metrics), interval, self.stop.clone())
    }

    fn start_responder(
        &self,
        chat: &Chat,
        messages: Arc<dyn ChatStore>,
        documents: Arc<dyn DocumentStore>,
        reader: MessageReader,
    ) -> Option<Responder> {
        if self.config.responder == ResponderConfig::Off {
            return None;
        }
        let (metrics, streams) = (Arc::clone(&self.metrics), &self.config.streams);
        let responder = Responder::new(chat.clone(), messages, documents, metrics, self.clock);
        // Pieces of an answer are shown as long as its log holds them.
        let window = streams.event_time_to_live;
        responder.watch(reader, streams.status_interval, window, self.stop.clone());
        Some(responder)
    }

    fn analyzer(&self) -> Arc<dyn Analyzer> {
        match &self.config.analyzer {
            None => Arc::new(RuleAnalyzer::default()),
            Some(config) => {
                Arc::new(HttpAnalyzer::new(config.url.clone(), config.token.clone(), config.answer_within))
            }
        }
    }

    /// Opens the way to OCR and the door for what comes back.
    fn ocr(&self, files: &Files) -> Option<(OcrDispatcher, OcrDoor)> {
        let config = self.config.ocr.as_ref()?;
        let links = Arc::new(self.file_links(config, files));
        let queue = QStash::new(config.queue.clone(), config.token.clone());
        let dispatcher = OcrDispatcher::new(
            queue,
            http::ocr_addresses(config),
            Arc::clone(&links) as Arc<dyn FileLinks>,
            Arc::clone(&self.metrics),
        );
        Some((dispatcher, OcrDoor::new(config, links, self.clock)))
    }

    /// On a laptop without a secret of its own the queue's token lasts over restarts.
    fn file_links(&self, config: &OcrConfig, files: &Files) -> SignedFileLinks {
        let secret = self.config.access.jwt_secret.as_ref().unwrap_or(&config.token);
        SignedFileLinks::new(files.clone(), config.public_url.clone(), secret, self.clock)
    }

    fn pipeline(
        &self,
        store: Arc<dyn DocumentStore>,
        files: Files,
        emitter: Emitter,
        chat: Chat,
        ocr: Option<OcrDispatcher>,
    ) -> Pipeline {
        let program = self.config.server.text_layer_program.clone().unwrap_or_else(|| "tidings".into());
        let reader = TextLayerReader::new(program);
        let readers = Readers { reader, ocr, analyzer: self.analyzer() };
        let notices = Arc::new(chat);
        Pipeline::new(store, files, emitter, notices, readers, Arc::clone(&self.metrics), self.clock)
    }

    fn streams(
        &self,
        hub: Hub,
        readers: (StatusReader, MessageReader),
        shutdown: CancellationToken,
    ) -> Streams {
        let streams = &self.config.streams;
        let pulse = Pulse::start(self.clock, streams.heartbeat_interval, self.stop.clone());
        let settings = StreamSettings {
            longest: streams.longest,
            active_for: streams.active_for,
            silent_for: streams.event_time_to_live.saturating_sub(SILENCE_MARGIN),
            logged_for: streams.event_time_to_live + CLOCK_ALLOWANCE,
            most: streams.most,
        };
        Streams::new(hub, readers, pulse, self.clock, Arc::clone(&self.metrics), settings, shutdown)
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

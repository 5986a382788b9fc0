//! The rooms of a stream put together, with faults to switch on and a clock that can be paused.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use tidings::{
    broker::{Broker, BrokerError, History, MemoryBroker, MemoryLimits, Publication, Watch, WatchNews},
    cache::{Cache, CacheSettings},
    chat::{ChatStore, MessageQuery, MessageReader, NEWEST_MESSAGES, NewMessage, StoredMessage},
    clock::Clock,
    documents::{
        DocumentRecord, DocumentStatus, StatusQuery, StatusReader, StatusSettings, StatusSource, StoreError,
    },
    event::{Channel, ChatMessage, EventId, Id, ProgressEvent, Stage},
    hub::{Hub, HubSettings, RingLimits},
    stream::{Pulse, StreamSettings, Streams},
    telemetry::Metrics,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub const PATIENT: &str = "p1";

pub fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}

/// Everything behind one viewer's stream.
pub struct World {
    pub broker: Arc<FaultyBroker>,
    pub store: Arc<StatusTable>,
    pub messages: Arc<MessageTable>,
    pub hub: Hub,
    pub streams: Streams,
    pub clock: Clock,
    pub shutdown: CancellationToken,
}

impl World {
    pub fn new() -> Self {
        Self::with(MemoryLimits::default(), RingLimits::default())
    }

    pub fn with(log: MemoryLimits, ring: RingLimits) -> Self {
        let clock = Clock::following_timers(Duration::from_secs(1_763_712_000));
        let memory = MemoryBroker::new(clock, log);
        let stores = (Arc::default(), Arc::default());
        Self::over(clock, Arc::new(FaultyBroker::new(memory)), stores, ring)
    }

    /// Another process over the same broker and store.
    pub fn second_instance(&self) -> Self {
        let stores = (Arc::clone(&self.store), Arc::clone(&self.messages));
        Self::over(self.clock, Arc::clone(&self.broker), stores, RingLimits::default())
    }

    fn over(
        clock: Clock,
        broker: Arc<FaultyBroker>,
        (store, messages): (Arc<StatusTable>, Arc<MessageTable>),
        ring: RingLimits,
    ) -> Self {
        let (metrics, stop) = (Arc::new(Metrics::default()), CancellationToken::new());
        let settings = HubSettings { ring, ..HubSettings::default() };
        let hub = Hub::start(Arc::clone(&broker) as _, clock, Arc::clone(&metrics), settings, stop.clone());
        let source = Arc::clone(&store) as Arc<dyn StatusSource>;
        let statuses =
            StatusReader::start(source, clock, Arc::clone(&metrics), StatusSettings::default(), stop.clone());
        let every = Duration::from_secs(5);
        let kept = Arc::clone(&messages) as Arc<dyn ChatStore>;
        // Tables are written by nobody who would tell a cache.
        let keeps_nothing = CacheSettings { longest: Duration::ZERO, ..CacheSettings::default() };
        let cache = Cache::in_memory(Arc::clone(&metrics), keeps_nothing);
        let messages_read = MessageReader::start(kept, cache, Arc::clone(&metrics), every, stop.clone());
        let readers = (statuses, messages_read);
        let shutdown = CancellationToken::new();
        let pulse = Pulse::start(clock, Duration::from_secs(5), stop);
        let settings = StreamSettings::default();
        let streams = Streams::new(hub.clone(), readers, pulse, clock, metrics, settings, shutdown.clone());
        Self { broker, store, messages, hub, streams, clock, shutdown }
    }

    pub fn channel() -> Channel {
        Channel::documents(id(PATIENT))
    }

    /// Emits one step, named so that repeats would be seen.
    pub async fn emit(&self, document: &str, stage: Stage) {
        self.emit_event(ProgressEvent::new(id(document), stage)).await;
    }

    pub async fn emit_event(&self, mut event: ProgressEvent) {
        event.stamp(self.clock.now());
        let publication = Publication { channel: Self::channel(), payload: event.to_payload().unwrap() };
        self.broker.memory.publish(&[publication]).await[0].as_ref().unwrap();
    }

    /// Publishes to any channel, as a stranger's RPUSH does.
    pub async fn push(&self, channel: &Channel, event: serde_json::Value) {
        let publication = Publication { channel: channel.clone(), payload: event.to_string().into() };
        self.broker.memory.publish(&[publication]).await[0].as_ref().unwrap();
    }

    pub fn set_status(&self, document: &str, status: DocumentStatus) {
        self.store.set(document, status, self.clock.milliseconds());
    }

    /// Does one step of a whole job: six stages, with statuses where the pipeline writes them.
    pub async fn act(&self, document: &str, action: usize) {
        use DocumentStatus::{Analyzing, Complete, OcrProcessing, Uploaded};
        match action {
            0 => self.set_status(document, Uploaded),
            1 => self.emit(document, Stage::UploadReceived).await,
            2 => self.emit(document, Stage::OcrStarted).await,
            3 => self.set_status(document, OcrProcessing),
            4 => self.emit(document, Stage::OcrComplete).await,
            5 => self.emit(document, Stage::AnalysisStarted).await,
            6 => self.set_status(document, Analyzing),
            7 => self.emit(document, Stage::AnalysisComplete).await,
            8 => self.emit(document, Stage::MatchingComplete).await,
            9 => self.set_status(document, Complete),
            _ => panic!("a job has {ACTIONS} actions"),
        }
    }

    pub async fn run_job(&self, document: &str) {
        for action in 0..ACTIONS {
            self.act(document, action).await;
        }
    }
}

/// Steps of [`World::act`] for one job.
pub const ACTIONS: usize = 10;

/// The memory broker with faults.
pub struct FaultyBroker {
    pub memory: MemoryBroker,
    /// Readers get no answer; publishers still do.
    is_down: watch::Sender<bool>,
    /// Publishers are refused for good.
    pub loses: std::sync::atomic::AtomicBool,
    /// What is published is told only after somebody asked for the log to be settled.
    holds_back: watch::Sender<bool>,
    /// Whether nothing is under way on the channel, as the hub says.
    pub is_resting: watch::Sender<bool>,
}

impl FaultyBroker {
    fn new(memory: MemoryBroker) -> Self {
        let [is_down, holds_back, is_resting] = [(); 3].map(|()| watch::Sender::new(false));
        Self { memory, is_down, loses: false.into(), holds_back, is_resting }
    }

    pub fn set_down(&self, is_down: bool) {
        self.is_down.send_replace(is_down);
    }

    pub fn hold_back(&self) {
        self.holds_back.send_replace(true);
    }

    fn answer<T>(&self, answer: T) -> Result<T, BrokerError> {
        if *self.is_down.borrow() { Err(BrokerError::Unavailable(None)) } else { Ok(answer) }
    }
}

#[async_trait]
impl Broker for FaultyBroker {
    fn name(&self) -> &'static str {
        "redis"
    }

    async fn publish(&self, events: &[Publication]) -> Vec<Result<(), BrokerError>> {
        if self.loses.load(Relaxed) {
            return events.iter().map(|_| Err(BrokerError::Refused("no".into()))).collect();
        }
        self.memory.publish(events).await
    }

    fn watch(&self) -> Arc<dyn Watch> {
        Arc::new(FaultyWatch {
            memory: self.memory.watch(),
            is_down: tokio::sync::Mutex::new((self.is_down.subscribe(), false)),
            holds_back: self.holds_back.subscribe(),
            is_resting: self.is_resting.clone(),
        })
    }

    async fn history(&self, channel: &Channel) -> Result<History, BrokerError> {
        self.answer(self.memory.history(channel).await?)
    }

    async fn settle(&self, channel: &Channel) -> Result<EventId, BrokerError> {
        self.holds_back.send_replace(false);
        self.answer(self.memory.settle(channel).await?)
    }

    async fn ping(&self) -> Result<(), BrokerError> {
        self.answer(())
    }

    fn empty_as_of(&self) -> u64 {
        self.memory.empty_as_of()
    }
}

struct FaultyWatch {
    memory: Arc<dyn Watch>,
    /// The state, and whether the reader was told that it is down.
    is_down: tokio::sync::Mutex<(watch::Receiver<bool>, bool)>,
    holds_back: watch::Receiver<bool>,
    is_resting: watch::Sender<bool>,
}

#[async_trait]
impl Watch for FaultyWatch {
    fn add(&self, channel: &Channel, after: EventId) {
        self.memory.add(channel, after);
    }

    fn remove(&self, channel: &Channel) {
        self.memory.remove(channel);
    }

    fn rest(&self, _: &Channel, is_resting: bool) {
        self.is_resting.send_replace(is_resting);
    }

    async fn next(&self) -> WatchNews {
        let mut state = self.is_down.lock().await;
        let (is_down, was_told) = &mut *state;
        let is_down_now = *is_down.borrow_and_update();
        if std::mem::replace(was_told, is_down_now) != is_down_now {
            return if is_down_now { WatchNews::Down } else { WatchNews::Up };
        }
        if *was_told {
            let _ = is_down.wait_for(|is_down| !is_down).await;
            *was_told = false;
            return WatchNews::Up;
        }
        let mut holds_back = self.holds_back.clone();
        let released = async {
            let _ = holds_back.wait_for(|holds_back| !holds_back).await;
            self.memory.next().await
        };
        tokio::select! {
            news = released => news,
            _ = is_down.wait_for(|is_down| *is_down) => { *was_told = true; WatchNews::Down }
        }
    }
}

/// The document statuses as a table that can fail.
#[derive(Default)]
pub struct StatusTable {
    rows: Mutex<Vec<DocumentRecord>>,
    pub is_down: std::sync::atomic::AtomicBool,
    pub queries: AtomicUsize,
}

impl StatusTable {
    pub fn set(&self, document: &str, status: DocumentStatus, now: u64) {
        let mut rows = self.rows.lock().unwrap();
        let (mut attempt, mut updated_at) = (1, now);
        if let Some(place) = rows.iter().position(|row| row.document_id == id(document)) {
            let row = rows.remove(place);
            attempt = row.attempt + u32::from(status == DocumentStatus::Uploaded);
            updated_at = now.max(row.updated_at + 1);
        }
        rows.push(DocumentRecord {
            document_id: id(document),
            patient_id: id(PATIENT),
            filename: Some("a.pdf".into()),
            status,
            reason: None,
            attempt,
            updated_at,
        });
    }
}

#[async_trait]
impl StatusSource for StatusTable {
    fn name(&self) -> &'static str {
        "postgres"
    }

    async fn statuses(&self, query: &StatusQuery) -> Result<Vec<DocumentRecord>, StoreError> {
        self.queries.fetch_add(1, Relaxed);
        if self.is_down.load(Relaxed) {
            return Err(StoreError::Timeout);
        }
        let rows = self.rows.lock().unwrap();
        let wanted = rows.iter().rev().filter(|row| query.patients.contains(&row.patient_id));
        Ok(wanted.cloned().collect())
    }
}

/// The messages as a table that can fail.
#[derive(Default)]
pub struct MessageTable {
    rows: Mutex<Vec<StoredMessage>>,
    pub is_down: std::sync::atomic::AtomicBool,
    pub queries: AtomicUsize,
}

impl MessageTable {
    /// Keeps a message and gives it.
    pub fn set(&self, case: &str, name: &str, now: u64) -> ChatMessage {
        let mut rows = self.rows.lock().unwrap();
        let sequence = rows.iter().filter(|row| row.case_id == id(case)).count() as u64 + 1;
        let (words, time) = (format!("words of {name}"), tidings::clock::to_rfc3339(now));
        let message = ChatMessage::new(id(name), &words, "patient", &time);
        rows.push(StoredMessage { case_id: id(case), sequence, message: message.clone() });
        message
    }
}

#[async_trait]
impl ChatStore for MessageTable {
    fn name(&self) -> &'static str {
        "postgres"
    }

    async fn add(&self, _: &Id, _: &NewMessage) -> Result<(StoredMessage, bool), StoreError> {
        panic!("streams add no messages")
    }

    async fn read(&self, query: &MessageQuery) -> Result<Vec<StoredMessage>, StoreError> {
        self.queries.fetch_add(1, Relaxed);
        if self.is_down.load(Relaxed) {
            return Err(StoreError::Timeout);
        }
        let rows = self.rows.lock().unwrap();
        let of = |case: &Id, behind: u64| -> Vec<_> {
            rows.iter().filter(|row| row.case_id == *case && row.sequence > behind).cloned().collect()
        };
        let mut read: Vec<_> = query.newer.iter().flat_map(|(case, behind)| of(case, *behind)).collect();
        for case in &query.newest {
            let all = of(case, 0);
            read.extend_from_slice(&all[all.len().saturating_sub(NEWEST_MESSAGES as usize)..]);
        }
        Ok(read)
    }
}

/// A browser's EventSource: opens, reads, loses the connection, comes back with its last id.
pub struct Browser {
    request: tidings::stream::StreamRequest,
    stream: Option<Box<tidings::stream::Viewer>>,
    pub last_id: Option<String>,
    /// What it was told, as short words.
    pub told: Vec<String>,
    pub frames: usize,
    pub is_finished: bool,
    /// All it was sent.
    pub seen: Vec<tidings::stream::Frame>,
    /// What stood in the last `connected`.
    pub snapshot: serde_json::Value,
}

impl Browser {
    pub fn new() -> Self {
        Self::asking(|_| {})
    }

    /// Follows any channel.
    pub fn of(channel: Channel) -> Self {
        Self::asking(|request| request.channel = channel)
    }

    pub fn asking(change: impl FnOnce(&mut tidings::stream::StreamRequest)) -> Self {
        let mut request = tidings::stream::StreamRequest::of(World::channel());
        change(&mut request);
        Self {
            request,
            stream: None,
            last_id: None,
            told: Vec::new(),
            frames: 0,
            is_finished: false,
            seen: Vec::new(),
            snapshot: serde_json::Value::Null,
        }
    }

    pub async fn open(&mut self, world: &World) {
        let mut request = self.request.clone();
        if let Some(id) = &self.last_id {
            request.cursor = tidings::stream::ViewerCursor::parse(id);
        }
        match world.streams.open(request).await {
            tidings::stream::Opening::Stream(stream) => self.stream = Some(stream),
            tidings::stream::Opening::Finished => self.is_finished = true,
            tidings::stream::Opening::Overloaded => panic!("there is room"),
        }
    }

    /// Loses the connection.
    pub fn cut(&mut self) {
        self.stream = None;
    }

    pub const fn is_open(&self) -> bool {
        self.stream.is_some()
    }

    /// Reads what there is, at most `most` frames; virtual time passes only while all is idle.
    pub async fn read(&mut self, most: usize, within: Duration) {
        for _ in 0..most {
            let Some(stream) = &mut self.stream else { return };
            let Ok(frame) = tokio::time::timeout(within, stream.next()).await else { return };
            match frame {
                Some(frame) => self.take(&frame),
                None => self.stream = None,
            }
        }
    }

    /// Reads whatever comes within `within`.
    pub async fn read_for(&mut self, within: Duration) {
        let end = tokio::time::Instant::now() + within;
        while self.is_open() && tokio::time::Instant::now() < end {
            self.read(1, end - tokio::time::Instant::now()).await;
        }
    }

    /// Reads what is there now.
    pub async fn read_all(&mut self) {
        self.read(usize::MAX, Duration::from_millis(20)).await;
    }

    fn take(&mut self, frame: &tidings::stream::Frame) {
        use tidings::stream::Frame;
        self.frames += 1;
        self.seen.push(frame.clone());
        let (id, words) = match frame {
            Frame::Retry(_) => return,
            Frame::Connected(connected) => {
                let kind = match (connected.resumed, connected.gap) {
                    (_, true) => "connected:gap",
                    (true, _) => "connected:resumed",
                    _ => "connected",
                };
                self.snapshot = serde_json::to_value(&connected.snapshot).unwrap();
                (Some(connected.cursor), kind.to_owned())
            }
            Frame::Event(event) => {
                let shown = event.event.as_ref().unwrap();
                let data: serde_json::Value = serde_json::from_slice(&shown.data).unwrap();
                let words = match (data["document_id"].as_str(), data["stage"].as_str()) {
                    (Some(document), Some(stage)) => format!("{document}:{stage}"),
                    _ if shown.name.as_str() == "message" => {
                        format!("message:{}", data["id"].as_str().unwrap())
                    }
                    _ if shown.name.as_str() == "token" => format!("token:{}", data["index"]),
                    _ => format!("{}:{}", shown.name, data["n"]),
                };
                (Some(tidings::event::Cursor::plain(event.id)), words)
            }
            Frame::Message(stored) => (None, format!("message:{}", stored.message.id)),
            Frame::DocumentUpdate(update) => {
                let reason = update.reason.as_ref().map(|reason| format!("/{reason}")).unwrap_or_default();
                (None, format!("{}={}{reason}", update.document_id, update.status))
            }
            Frame::Heartbeat(_, cursor) => (*cursor, "heartbeat".into()),
            Frame::Source(change) => (None, format!("{} {:?}", change.source, change.state).to_lowercase()),
            Frame::Done(done) => (Some(done.cursor), "done".into()),
            Frame::Reconnect(reason) => (None, format!("reconnect:{}", reason.as_str())),
        };
        if let Some(id) = id {
            self.last_id = Some(id.to_string());
        }
        self.told.push(words);
    }

    /// What it was told of `document`'s steps.
    pub fn steps(&self, document: &str) -> Vec<&str> {
        let of = format!("{document}:");
        self.told.iter().filter_map(|words| words.strip_prefix(of.as_str())).collect()
    }

    pub fn count(&self, words: &str) -> usize {
        self.told.iter().filter(|told| *told == words).count()
    }

    pub fn place(&self, words: &str) -> usize {
        self.told
            .iter()
            .position(|told| told == words)
            .unwrap_or_else(|| panic!("no {words} in {:?}", self.told))
    }
}

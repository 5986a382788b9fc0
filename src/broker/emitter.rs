//! Hands events to the broker without holding up the work they tell of.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    sync::{mpsc, oneshot},
    task::yield_now,
    time::{Instant, sleep, timeout},
};

use super::{Broker, BrokerError, Publication};
use crate::{
    clock::Clock,
    event::{Channel, ChatMessage, EventError, Id, ProgressEvent, TypedEvent},
    telemetry::{DropReason, Metrics, StageClock, TraceParent, Traces},
};

/// Most events handed to the broker in one call.
const BATCH: usize = 128;
/// Longest wait for one answer of the broker.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// First and longest pause between tries; each is jittered by half.
const RETRY_PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// How long and how many events an [`Emitter`] keeps while the broker is down.
#[derive(Clone, Copy, Debug)]
pub struct EmitterLimits {
    /// Events waiting. Default 1,000; more are dropped, counted and logged.
    pub queue: usize,
    /// How long an event is tried. Default 60 s.
    pub patience: Duration,
}

impl Default for EmitterLimits {
    fn default() -> Self {
        Self { queue: 1_000, patience: Duration::from_secs(60) }
    }
}

/// Emits progress in the background: in order, with retries, within a budget. Clones share it.
#[derive(Clone)]
pub struct Emitter {
    queue: mpsc::Sender<Queued>,
    pace: Duration,
    clock: Clock,
    metrics: Arc<Metrics>,
    stages: Arc<StageClock>,
    traces: Traces,
    parent: Option<TraceParent>,
}

/// Tells why an event was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmitError {
    /// The event itself is wrong.
    #[error(transparent)]
    Invalid(#[from] EventError),
    /// Too many events wait, because the broker is down or slow.
    #[error("too many events are waiting for the broker; send this one again later")]
    Full,
}

/// Becomes true when the event is in the broker's hands.
pub struct Stored(oneshot::Receiver<bool>);

enum Queued {
    Event { publication: Publication, since: Instant, stored: Option<oneshot::Sender<bool>> },
    Flush(oneshot::Sender<()>),
}

impl Queued {
    fn event(channel: Channel, payload: Bytes, stored: Option<oneshot::Sender<bool>>) -> Self {
        Self::Event { publication: Publication { channel, payload }, since: Instant::now(), stored }
    }
}

impl Emitter {
    /// Starts the background task that publishes to `broker`.
    #[cfg_attr(not(internals), doc(hidden))]
    #[must_use]
    pub fn start(
        broker: Arc<dyn Broker>,
        clock: Clock,
        metrics: Arc<Metrics>,
        limits: EmitterLimits,
    ) -> Self {
        let (queue, waiting) = mpsc::channel(limits.queue.max(1));
        let pace = broker.pace();
        let publisher = Publisher { broker, metrics: Arc::clone(&metrics), patience: limits.patience };
        tokio::spawn(publisher.run(waiting));
        Self { queue, pace, clock, metrics, stages: Arc::default(), traces: Traces::default(), parent: None }
    }

    /// Makes spans of what is emitted from here on.
    #[cfg_attr(not(internals), doc(hidden))]
    #[must_use]
    pub fn traced_by(self, traces: Traces) -> Self {
        Self { traces, ..self }
    }

    /// Gives the same emitter for work that belongs to a caller's trace; later events of its
    /// documents follow there, whoever emits them. Without a parent nothing changes.
    #[must_use]
    pub fn under(&self, parent: Option<TraceParent>) -> Self {
        Self { parent, ..self.clone() }
    }

    /// Puts what is emitted from here on for an attempt of a document into a caller's trace: for work
    /// that somebody else hands over, and that emits later. Without a parent nothing changes.
    pub fn join_trace(&self, document: &Id, attempt: u32, parent: Option<TraceParent>) {
        if let Some(parent) = parent {
            self.stages.join(document, attempt, parent, self.clock.now());
        }
    }

    /// Gives the caller's trace that an attempt of a document belongs to, to hand it on with the work.
    #[must_use]
    pub fn trace_of(&self, document: &Id, attempt: u32) -> Option<TraceParent> {
        self.stages.parent_of(document, attempt)
    }

    /// Emits one step of a patient's document and returns at once with its event id.
    ///
    /// It never fails and never waits: an event that cannot be taken or delivered is counted
    /// and logged. Call [`Emitter::flush`] before a process ends.
    pub fn emit_progress(&self, patient: &Id, mut event: ProgressEvent) -> Id {
        let event_id = event.stamp(self.clock.now());
        match self.enqueue(Channel::documents(patient.clone()), event.to_payload(), None) {
            Ok(()) => self.follow(&event),
            Err(error) => tracing::warn!(%error, "an event was dropped"),
        }
        event_id
    }

    /// Emits one event of a chat or of any other kind of work, as [`Emitter::emit_progress`] does.
    pub fn emit(&self, channel: &Channel, mut event: TypedEvent) -> Id {
        let event_id = event.stamp(self.clock.now());
        self.enqueue_or_drop(channel.clone(), event.to_payload());
        event_id
    }

    /// Emits a stored message.
    pub fn emit_message(&self, channel: &Channel, message: &ChatMessage) {
        let event = message.to_event();
        // A text may outgrow an event when it is written as JSON: then the store alone tells it.
        if event.to_payload().is_ok() {
            self.emit(channel, event);
        }
    }

    /// Gives how often events reach viewers at best.
    pub(super) const fn pace(&self) -> Duration {
        self.pace
    }

    /// Emits one step and answers its event id and whether it has been stored yet.
    ///
    /// # Errors
    /// [`EmitError`] when the event is wrong or too many wait.
    pub fn submit_progress(&self, patient: &Id, mut event: ProgressEvent) -> Result<(Id, Stored), EmitError> {
        let event_id = event.stamp(self.clock.now());
        let stored = self.submit_payload(Channel::documents(patient.clone()), event.to_payload())?;
        self.follow(&event);
        Ok((event_id, stored))
    }

    /// Emits several steps in order, or none of them, and answers of each what
    /// [`Emitter::submit_progress`] does.
    ///
    /// # Errors
    /// [`EmitError`] when one of the events is wrong or too many wait.
    pub fn submit_progress_all(
        &self,
        mut events: Vec<(Id, ProgressEvent)>,
    ) -> Result<Vec<(Id, Stored)>, EmitError> {
        let now = self.clock.now();
        let event_ids: Vec<_> = events.iter_mut().map(|(_, event)| event.stamp(now)).collect();
        let payloads = events.iter().map(|(_, event)| event.to_payload());
        let payloads: Vec<_> = payloads.collect::<Result<_, _>>().map_err(|error| self.refuse(error))?;
        let places = self.queue.try_reserve_many(events.len()).map_err(|_| self.refuse(EmitError::Full))?;
        let mut submitted = Vec::with_capacity(events.len());
        for (((patient, event), payload), (place, id)) in
            events.into_iter().zip(payloads).zip(places.zip(event_ids))
        {
            let (stored, receiver) = oneshot::channel();
            place.send(Queued::event(Channel::documents(patient), payload, Some(stored)));
            self.follow(&event);
            submitted.push((id, Stored(receiver)));
        }
        Ok(submitted)
    }

    /// Emits one event of a chat or of any other kind of work, as [`Emitter::submit_progress`] does.
    ///
    /// # Errors
    /// [`EmitError`] when the event is too large or too many wait.
    pub fn submit(&self, channel: &Channel, mut event: TypedEvent) -> Result<(Id, Stored), EmitError> {
        let event_id = event.stamp(self.clock.now());
        Ok((event_id, self.submit_payload(channel.clone(), event.to_payload())?))
    }

    /// Waits until all events emitted before are stored or given up; false when `within` is over.
    pub async fn flush(&self, within: Duration) -> bool {
        let (done, flushed) = oneshot::channel();
        let flush = async { self.queue.send(Queued::Flush(done)).await.is_ok() && flushed.await.is_ok() };
        timeout(within, flush).await.unwrap_or(false)
    }

    fn enqueue_or_drop(&self, channel: Channel, payload: Result<Bytes, EventError>) {
        if let Err(error) = self.enqueue(channel, payload, None) {
            tracing::warn!(%error, "an event was dropped");
        }
    }

    fn submit_payload(
        &self,
        channel: Channel,
        payload: Result<Bytes, EventError>,
    ) -> Result<Stored, EmitError> {
        let (stored, receiver) = oneshot::channel();
        self.enqueue(channel, payload, Some(stored))?;
        Ok(Stored(receiver))
    }

    /// Times and traces what was taken: here each event is met once, however many instances serve it.
    fn follow(&self, event: &ProgressEvent) {
        let step = self.stages.note(event, self.parent.as_ref(), self.clock.now());
        self.traces.note(event, &step);
        self.metrics.stage_told(step.work, event);
        if let Some(time) = step.took() {
            self.metrics.stage_took(step.work, event.status.as_str(), time);
        }
    }

    fn enqueue(
        &self,
        channel: Channel,
        payload: Result<Bytes, EventError>,
        stored: Option<oneshot::Sender<bool>>,
    ) -> Result<(), EmitError> {
        let payload = payload.map_err(|error| self.refuse(error))?;
        let queued = Queued::event(channel, payload, stored);
        self.queue.try_send(queued).map_err(|_| self.refuse(EmitError::Full))
    }

    /// Counts what is not taken.
    fn refuse(&self, error: impl Into<EmitError>) -> EmitError {
        let error = error.into();
        self.metrics.dropped(match error {
            EmitError::Invalid(_) => DropReason::Invalid,
            EmitError::Full => DropReason::QueueFull,
        });
        error
    }
}

impl Stored {
    /// Waits at most `within`; false when the event is still waiting or was given up.
    pub async fn within(self, within: Duration) -> bool {
        matches!(timeout(within, self.0).await, Ok(Ok(true)))
    }
}

/// The background half of an [`Emitter`].
struct Publisher {
    broker: Arc<dyn Broker>,
    metrics: Arc<Metrics>,
    patience: Duration,
}

struct Waiting {
    publication: Publication,
    since: Instant,
    stored: Option<oneshot::Sender<bool>>,
}

impl Publisher {
    async fn run(self, mut queue: mpsc::Receiver<Queued>) {
        let mut taken = Vec::with_capacity(BATCH);
        while queue.recv_many(&mut taken, BATCH).await > 0 {
            let mut events = Vec::new();
            for queued in taken.drain(..) {
                match queued {
                    Queued::Event { publication, since, stored } => {
                        events.push(Waiting { publication, since, stored });
                    }
                    Queued::Flush(done) => {
                        self.publish_all(std::mem::take(&mut events)).await;
                        let _ = done.send(());
                    }
                }
            }
            self.publish_all(events).await;
            // A broker in this process answers at once: its readers must have their turn, too.
            yield_now().await;
        }
    }

    async fn publish_all(&self, mut events: Vec<Waiting>) {
        let mut pause = RETRY_PAUSES.0;
        while !events.is_empty() {
            events = self.publish_once(events).await;
            if events.is_empty() {
                return;
            }
            sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            pause = (pause * 2).min(RETRY_PAUSES.1);
        }
    }

    /// Tries each event once, in order, and gives back those worth another try.
    async fn publish_once(&self, events: Vec<Waiting>) -> Vec<Waiting> {
        let publications: Vec<_> = events.iter().map(|event| event.publication.clone()).collect();
        let Ok(answers) = timeout(ANSWER_WITHIN, self.broker.publish(&publications)).await else {
            return events
                .into_iter()
                .filter_map(|event| self.keep(event, &BrokerError::Unavailable(None)))
                .collect();
        };
        let settle = |(event, answer): (Waiting, Result<(), BrokerError>)| match answer {
            Ok(()) => {
                self.metrics.events.published.inc();
                event.stored.map(|stored| stored.send(true));
                None
            }
            Err(error) => self.keep(event, &error),
        };
        events.into_iter().zip(answers).filter_map(settle).collect()
    }

    fn keep(&self, event: Waiting, error: &BrokerError) -> Option<Waiting> {
        let reason = if !error.is_transient() {
            DropReason::Refused
        } else if event.since.elapsed() >= self.patience {
            DropReason::OutOfTime
        } else {
            return Some(event);
        };
        self.metrics.dropped(reason);
        tracing::warn!(%error, reason = reason.as_str(), "an event was given up");
        event.stored.map(|stored| stored.send(false));
        None
    }
}

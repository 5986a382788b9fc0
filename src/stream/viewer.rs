//! One viewer's stream: decides what it is told next.
//!
//! The order is: events of the log first, then status changes, then the end. Before an end
//! that the store tells of and the log does not, the log is caught up once, so that the outcome
//! never overtakes the steps. The rules of `done` and of ids are those of the wire contract, under the same words.

mod joining;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use futures::future::OptionFuture;
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, sleep_until},
};

use super::{
    ActivityLimits, Shared,
    coverage::{Coverage, CoverageView, DocumentView},
    end_rules::EndRules,
    frame::{Done, EndedDocument, Frame, Heartbeat, ReconnectReason},
    heartbeat::Pulse,
    request::StreamRequest,
    sources::Sources,
    told::ToldStatuses,
};
use crate::{
    documents::{PatientStatuses, StatusFollow},
    event::{Channel, Cursor, DocumentProgress, EventId, Id},
    hub::{Batch, HubEvent, Place, Subscription},
    telemetry::StreamOpen,
};

/// Events taken from the ring at once.
const BATCH: usize = 64;
/// Longest wait for the log before an end is told.
const SETTLE_WITHIN: Duration = Duration::from_secs(1);
/// How long a browser waits before it comes back, unless told otherwise.
const RETRY: Duration = Duration::from_secs(1);
/// How long before its token ends a stream does.
const BEFORE_EXPIRY: Duration = Duration::from_secs(10);

/// A stream as one viewer sees it.
pub struct Viewer {
    shared: Arc<Shared>,
    request: StreamRequest,
    coverage: Coverage,
    subscription: Subscription,
    follow: StatusFollow,
    pulse: Pulse,
    sources: Sources,
    pending: VecDeque<Frame>,
    /// What the viewer missed, up to the seam.
    replay: VecDeque<Arc<HubEvent>>,
    /// Where to read behind the seam; none while the broker has not been reached.
    place: Option<Place>,
    /// Without a place: whether another try to find one may succeed.
    may_join: bool,
    /// The position passed: everything up to it has been told or is not for this viewer.
    passed: Cursor,
    told: ToldStatuses,
    end: EndRules,
    ends_at: (Instant, ReconnectReason),
    has_ended: bool,
    _open: StreamOpen,
    _place_taken: OwnedSemaphorePermit,
}

impl Viewer {
    /// Opens a stream; nothing when all is over and the viewer has been told so.
    pub(super) async fn open(
        shared: &Arc<Shared>,
        place: OwnedSemaphorePermit,
        request: StreamRequest,
    ) -> Option<Self> {
        let opened_at = Instant::now();
        let subscription = shared.hub.subscribe(&Channel::documents(request.patient.clone()));
        let follow = shared.statuses.follow(&request.patient, &request.documents);
        let reads_before = follow.reads_begun();
        follow.read_behind(reads_before).await;
        let open = shared.metrics.open_stream(subscription.channel().kind());
        let mut viewer = Self {
            coverage: Coverage { named: request.documents.clone() },
            subscription,
            follow,
            pulse: shared.pulse.follow(),
            sources: Sources::new(&shared.hub, &shared.statuses),
            pending: VecDeque::from([Frame::Retry(RETRY)]),
            replay: VecDeque::new(),
            place: None,
            may_join: false,
            passed: Cursor::plain(EventId::ZERO),
            told: ToldStatuses::default(),
            end: EndRules::new(&request, reads_before),
            ends_at: ends_at(shared, &request, opened_at),
            has_ended: false,
            _open: open,
            _place_taken: place,
            shared: Arc::clone(shared),
            request,
        };
        viewer.begin().await.then_some(viewer)
    }

    /// Gives the next frame, or nothing once the stream has ended.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.pending.pop_front() {
                return Some(frame);
            }
            if self.has_ended {
                return None;
            }
            self.advance().await;
        }
    }

    fn is_owed(&self, view: &CoverageView) -> bool {
        self.end.is_owed(view, &self.coverage.named)
    }

    /// Gives `position` the mark of what the viewer knows there.
    fn marked(&self, position: EventId, view: &CoverageView) -> Cursor {
        let mark = self.end.mark(view, &self.coverage.named, self.request.cursor.told_newest());
        Cursor { position, mark }
    }

    /// Does the next thing: tells something, or waits for something to tell.
    async fn advance(&mut self) {
        if self.has_to_end() || self.tell_sources() || self.take_replay() {
            return;
        }
        match self.read_ring() {
            Some(Batch::Events(events)) if !events.is_empty() => {
                events.into_iter().for_each(|event| self.take(event))
            }
            Some(Batch::Lagged) => self.end_with(ReconnectReason::SlowConsumer),
            Some(Batch::Rejoin) => self.rejoin().await,
            None if self.may_join => self.rejoin().await,
            _ if self.follow.has_changed() => self.tell_statuses().await,
            _ if self.end.may_be_over => self.look_for_the_end().await,
            _ => self.wait().await,
        }
    }

    fn has_to_end(&mut self) -> bool {
        if self.shared.shutdown.is_cancelled() {
            self.end_with(ReconnectReason::Shutdown);
        } else if Instant::now() >= self.ends_at.0 {
            self.end_with(self.ends_at.1);
        }
        self.has_ended
    }

    fn end_with(&mut self, reason: ReconnectReason) {
        self.pending.push_back(Frame::Reconnect(reason));
        self.shared.metrics.stream_ended(reason.as_str());
        self.has_ended = true;
    }

    fn take_replay(&mut self) -> bool {
        let taken = self.replay.len().min(BATCH);
        for _ in 0..taken {
            if let Some(event) = self.replay.pop_front() {
                self.take(event);
            }
        }
        taken > 0
    }

    fn read_ring(&mut self) -> Option<Batch> {
        self.place.as_mut().map(|place| self.subscription.read(place, BATCH))
    }

    /// Takes one event of the log: tells it, if it is for this viewer.
    fn take(&mut self, event: Arc<HubEvent>) {
        self.passed = Cursor::plain(event.id);
        let Some(shown) = &event.event else { return };
        if !self.coverage.covers(shown.document.as_ref()) {
            return;
        }
        self.end.is_stirred = true;
        self.end.was_active = true;
        self.subscription.rest(false);
        if shown.terminal {
            self.end.needs_read_behind = self.follow.reads_begun();
            self.end.may_be_over = true;
            self.follow.expect_end(event.read_at);
        }
        if self.shows(shown.name.as_str()) {
            self.shared.metrics.events.sent.inc();
            self.pending.push_back(Frame::Event(event));
        }
    }

    fn shows(&self, name: &str) -> bool {
        self.request.events.as_ref().is_none_or(|events| events.iter().any(|event| event.as_str() == name))
    }

    /// Tells what the store says anew; behind the steps, where it tells of an end.
    async fn tell_statuses(&mut self) {
        let statuses = self.follow.seen();
        let view = self.look_at(&statuses, &self.subscription.documents());
        let updates = self.told.missing(&view);
        let ends = updates.iter().any(|update| update.status.is_terminal());
        let may_miss_steps = ends && view.may_miss_steps();
        if self.has_unread() || (may_miss_steps && self.settle(statuses.read_at).await) {
            return self.follow.unsee();
        }
        if self.end.knows_store {
            self.end.is_stirred |= !updates.is_empty();
        } else {
            self.compare_with_mark(&view);
        }
        self.end.may_be_over = true;
        self.told = ToldStatuses::of(&view);
        if self.shows("document_update") {
            self.pending.extend(updates.into_iter().map(Frame::DocumentUpdate));
        }
    }

    /// Says whether steps have come that were looked at, but not told yet.
    fn has_unread(&self) -> bool {
        self.place.as_ref().is_some_and(|place| self.subscription.has_unread(place))
    }

    /// Catches the log up behind a status read; true when that has just been done.
    async fn settle(&mut self, read_at: Option<Instant>) -> bool {
        if self.end.settled_for >= read_at {
            return false;
        }
        self.end.settled_for = read_at;
        if let Some(read_at) = read_at {
            self.subscription.settle(read_at, SETTLE_WITHIN).await;
        }
        true
    }

    /// Tells `done`, if it is owed and nothing covered is active.
    async fn look_for_the_end(&mut self) {
        self.end.may_be_over = false;
        let statuses = self.follow.current();
        let view = self.look(&self.subscription.documents());
        let untold = self.told.missing(&view);
        if !untold.is_empty() {
            return self.follow.unsee();
        }
        if view.is_active() || !self.is_owed(&view) || statuses.read <= self.end.needs_read_behind {
            return;
        }
        if self.has_unread() || (view.may_miss_steps() && self.settle(statuses.read_at).await) {
            self.end.may_be_over = true;
            return;
        }
        self.tell_done(&view);
    }

    fn tell_done(&mut self, view: &CoverageView) {
        let ended = |document: &DocumentView| EndedDocument {
            document_id: document.document_id.clone(),
            status: document.status,
            reason: document.reason.clone(),
        };
        self.pending.push_back(Frame::Done(Done {
            cursor: Cursor::done(self.passed.position, view.newest()),
            documents: view.documents.iter().map(ended).collect(),
        }));
        self.end.has_told_done();
        if !self.request.follow {
            self.shared.metrics.stream_ended("done");
            self.has_ended = true;
        }
    }

    /// Looks at where everything stands.
    fn look(&mut self, documents: &[(Id, DocumentProgress)]) -> CoverageView {
        let statuses = self.follow.current();
        self.look_at(&statuses, documents)
    }

    fn look_at(&mut self, statuses: &PatientStatuses, documents: &[(Id, DocumentProgress)]) -> CoverageView {
        let limits = ActivityLimits {
            active_for: as_milliseconds(self.shared.settings.active_for),
            silent_for: as_milliseconds(self.shared.settings.silent_for),
            logged_for: as_milliseconds(self.shared.settings.logged_for),
        };
        let view =
            self.coverage.view(&statuses.documents, documents, self.shared.clock.milliseconds(), limits);
        self.end.was_active = view.is_active();
        self.end.is_stirred |= view.is_active();
        self.subscription.rest(!view.is_active());
        view
    }

    /// Waits until there is something to do.
    async fn wait(&mut self) {
        let wanted_read = self.wanted_read();
        tokio::select! {
            () = self.subscription.changed() => self.may_join = true,
            () = self.follow.changed() => {}
            Some(_) = wanted_read => self.end.may_be_over = true,
            beat = self.pulse.next() => self.beat(beat),
            () = self.sources.changed() => {}
            () = sleep_until(self.ends_at.0) => {}
            () = self.shared.shutdown.cancelled() => {}
        }
    }

    /// Asks for a status read behind the last end, unless there was one or the store is down.
    fn wanted_read(&self) -> OptionFuture<impl Future<Output = bool> + Send + use<>> {
        let read = self.end.needs_read_behind;
        let is_wanted = self.sources.is_store_up() && self.follow.current().read <= read;
        is_wanted.then(|| self.follow.read_behind(read)).into()
    }

    /// Beats, and looks whether time alone has ended something.
    fn beat(&mut self, beat: Arc<Heartbeat>) {
        let is_narrowed = !self.coverage.named.is_empty() || self.request.events.is_some();
        let cursor = (is_narrowed && self.passed.position != EventId::ZERO).then(|| {
            let view = self.look(&self.subscription.documents());
            self.marked(self.passed.position, &view)
        });
        self.pending.push_back(Frame::Heartbeat(beat, cursor));
        self.end.may_be_over |= self.end.was_active;
        self.may_join = true;
    }

    /// Tells of sources that went down or came back, before anything that follows from it.
    fn tell_sources(&mut self) -> bool {
        let changes = self.sources.take_changes();
        self.may_join |= !changes.is_empty();
        self.end.may_be_over |= !changes.is_empty();
        let is_news = !changes.is_empty();
        self.pending.extend(changes.into_iter().map(Frame::Source));
        is_news
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        if !self.has_ended {
            self.shared.metrics.stream_ended("viewer_left");
        }
    }
}

/// Streams end at different times, so that their viewers do not all come back at once.
fn ends_at(shared: &Shared, request: &StreamRequest, opened_at: Instant) -> (Instant, ReconnectReason) {
    let longest = shared.settings.longest.mul_f64(1.0 - fastrand::f64() / 10.0);
    let by_duration = (opened_at + longest, ReconnectReason::MaxDuration);
    let Some(expires_at) = request.expires_at else { return by_duration };
    let left = expires_at.saturating_sub(shared.clock.since_epoch()).saturating_sub(BEFORE_EXPIRY);
    if left < longest { (opened_at + left, ReconnectReason::TokenExpired) } else { by_duration }
}

fn as_milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

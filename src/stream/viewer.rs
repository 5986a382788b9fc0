//! One viewer's stream: decides what it is told next.
//!
//! The order is: events of the log first, then status changes, then the end. Before an end
//! that the store tells of, the log is caught up once, so that the outcome never overtakes the
//! steps. The rules of `done` and of ids are those of the wire contract, under the same words.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use chrono::SecondsFormat;
use futures::future::OptionFuture;
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::{Instant, sleep_until},
};

use super::{
    ActivityLimits, Shared,
    coverage::{Coverage, CoverageView},
    frame::{
        Connected, DocumentUpdate, Done, EndedDocument, Frame, Heartbeat, ReconnectReason, SourceChange,
        SourceState,
    },
    heartbeat::Pulse,
    request::{StreamRequest, ViewerCursor},
};
use crate::{
    documents::{DocumentStatus, PatientStatuses, StatusFollow},
    event::{Channel, Cursor, DocumentProgress, EventId, Id, Mark},
    hub::{Batch, HubEvent, Join, JoinAt, Joined, Place, Subscription},
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
    broker_state: watch::Receiver<bool>,
    store_state: watch::Receiver<bool>,
    pending: VecDeque<Frame>,
    /// What the viewer missed, up to the seam.
    replay: VecDeque<Arc<HubEvent>>,
    /// Where to read behind the seam; none while the broker has not been reached.
    place: Option<Place>,
    /// Without a place: whether another try to find one may succeed.
    may_join: bool,
    /// The position passed: everything up to it has been told or is not for this viewer.
    passed: Cursor,
    told: Vec<Told>,
    end: EndRules,
    ends_at: (Instant, ReconnectReason),
    has_ended: bool,
    _open: StreamOpen,
    _place_taken: OwnedSemaphorePermit,
}

/// A status the viewer has been told.
struct Told {
    document: Id,
    attempt: u32,
    status: DocumentStatus,
}

/// What `done` waits for and why it is owed.
struct EndRules {
    /// (a) Something covered was active or changed since `connected` or the last `done`.
    is_stirred: bool,
    /// (b) The viewer came with a plain cursor.
    is_owed_by_cursor: bool,
    /// (c) The viewer named documents and had no mark of an end.
    is_owed_by_name: bool,
    /// Which mark a quiet stream carries.
    quiet: Quiet,
    /// Something may have ended since it was last looked at.
    may_be_over: bool,
    /// Something was under way when it was last looked at.
    was_active: bool,
    /// The store has been read since the stream was opened.
    knows_store: bool,
    /// An end is told from a status read behind this one: begun after the newest step that may
    /// have ended a document was taken, and after the stream was opened.
    needs_read_behind: u64,
    /// The status read behind which the log has been caught up.
    settled_for: Option<Instant>,
}

/// What a viewer on a quiet stream had been told.
#[derive(Clone, Copy)]
enum Quiet {
    Idle,
    Done,
    Nothing,
}

impl EndRules {
    fn new(request: &StreamRequest, reads_before: u64) -> Self {
        let cursor = request.cursor;
        Self {
            is_stirred: false,
            is_owed_by_cursor: cursor.is_plain(),
            is_owed_by_name: !request.documents.is_empty() && !cursor.is_done(),
            quiet: match cursor {
                _ if cursor.is_done() => Quiet::Done,
                _ if cursor.is_plain() => Quiet::Nothing,
                _ => Quiet::Idle,
            },
            may_be_over: true,
            was_active: false,
            knows_store: false,
            needs_read_behind: reads_before,
            settled_for: None,
        }
    }

    /// Says whether `done` is owed once nothing covered is active.
    fn is_owed(&self, view: &CoverageView, named: &[Id]) -> bool {
        self.is_stirred || self.is_owed_by_cursor || (self.is_owed_by_name && view.all_over(named))
    }

    fn has_told_done(&mut self) {
        self.is_stirred = false;
        self.is_owed_by_cursor = false;
        self.is_owed_by_name = false;
        self.quiet = Quiet::Done;
    }
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
        let mut viewer = Self {
            coverage: Coverage { named: request.documents.clone() },
            subscription,
            follow,
            pulse: shared.pulse.follow(),
            broker_state: shared.hub.source_state(),
            store_state: shared.statuses.source_state(),
            pending: VecDeque::from([Frame::Retry(RETRY)]),
            replay: VecDeque::new(),
            place: None,
            may_join: false,
            passed: Cursor::plain(EventId::ZERO),
            told: Vec::new(),
            end: EndRules::new(&request, reads_before),
            ends_at: ends_at(shared, &request, opened_at),
            has_ended: false,
            _open: shared.metrics.open_stream(),
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

    /// Connects for the first time; false when the viewer need not have come.
    async fn begin(&mut self) -> bool {
        self.tell_sources_that_are_down();
        let cursor = self.request.cursor;
        match self.subscription.join(cursor.join_at()).await {
            Join::Joined(joined) => {
                let view = self.take_place(joined.place, joined.replay, &joined.documents);
                self.compare_with_mark(&view);
                if self.is_finished(&view) {
                    self.has_ended = true;
                    return false;
                }
                let is_new = cursor == ViewerCursor::New;
                if !is_new {
                    self.shared.metrics.replayed(!joined.is_gap);
                }
                let resumed = !is_new && !joined.is_gap;
                self.connect(joined.position, resumed, joined.is_gap, &view);
                true
            }
            Join::Down => self.begin_without_log(),
        }
    }

    /// Keeps the viewer's place until the log can be read.
    fn begin_without_log(&mut self) -> bool {
        let view = self.look(&[]);
        self.compare_with_mark(&view);
        if self.is_finished(&view) {
            self.has_ended = true;
            return false;
        }
        let given = match self.request.cursor {
            ViewerCursor::At(cursor) => Some(cursor),
            _ => None,
        };
        self.passed = Cursor::plain(given.map_or(EventId::ZERO, |cursor| cursor.position));
        let cursor = given.unwrap_or_else(|| self.marked(EventId::ZERO, &view));
        self.told = told(&view);
        self.tell_connected(cursor, given.is_some(), false, view);
        true
    }

    /// Tells the first or the next `connected`.
    fn connect(&mut self, position: EventId, resumed: bool, gap: bool, view: &CoverageView) {
        self.passed = Cursor::plain(position);
        let cursor = match self.request.cursor {
            ViewerCursor::At(Cursor::EARLIEST) if resumed => Cursor::EARLIEST,
            _ => self.marked(position, view),
        };
        self.told = told(view);
        self.tell_connected(cursor, resumed, gap, view.clone());
    }

    fn tell_connected(&mut self, cursor: Cursor, resumed: bool, gap: bool, view: CoverageView) {
        self.pending.push_back(Frame::Connected(Connected {
            cursor,
            channel: self.subscription.channel().to_string(),
            server_time: self.shared.clock.now().to_rfc3339_opts(SecondsFormat::Millis, true),
            resumed,
            gap,
            documents: view.documents,
        }));
    }

    /// Takes the place behind the seam and what was missed before it.
    fn take_place(
        &mut self,
        place: Place,
        replay: Vec<Arc<HubEvent>>,
        documents: &[(Id, DocumentProgress)],
    ) -> CoverageView {
        self.place = Some(place);
        let is_covered = |event: &Arc<HubEvent>| {
            event.event.as_ref().is_some_and(|event| self.coverage.covers(event.document.as_ref()))
        };
        self.end.is_stirred |= replay.iter().any(is_covered);
        self.replay = replay.into();
        self.look(documents)
    }

    /// Looks whether anything moved since the mark was given; not before the store was read.
    fn compare_with_mark(&mut self, view: &CoverageView) {
        self.end.knows_store = self.follow.current().read > 0;
        if !self.end.knows_store {
            return;
        }
        let told = self.request.cursor.told_newest();
        self.end.is_stirred |= told.is_some_and(|told| told != view.newest());
    }

    /// A viewer that was told `done` of just this state is sent away for good.
    fn is_finished(&self, view: &CoverageView) -> bool {
        let was_told =
            self.request.cursor.told_newest() == Some(view.newest()) && self.request.cursor.is_done();
        was_told && self.end.knows_store && !self.request.follow && !view.is_active() && !self.is_owed(view)
    }

    fn is_owed(&self, view: &CoverageView) -> bool {
        self.end.is_owed(view, &self.coverage.named)
    }

    /// Gives `position` the mark of what the viewer knows there.
    fn marked(&self, position: EventId, view: &CoverageView) -> Cursor {
        let is_quiet = !view.is_active() && !self.is_owed(view);
        let mark = match self.end.quiet {
            Quiet::Idle if is_quiet => Mark::Idle(view.newest()),
            Quiet::Done if is_quiet => Mark::Done(view.newest()),
            _ => Mark::Plain,
        };
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
        if shown.terminal {
            self.end.needs_read_behind = self.follow.reads_begun();
            self.end.may_be_over = true;
            self.follow.expect_end(event.read_at);
        }
        if self.shows(shown.name.as_str()) {
            self.shared.metrics.events_sent.inc();
            self.pending.push_back(Frame::Event(event));
        }
    }

    fn shows(&self, name: &str) -> bool {
        self.request.events.as_ref().is_none_or(|events| events.iter().any(|event| event.as_str() == name))
    }

    /// The log was read anew: goes on where the viewer stands, or says that there is a gap.
    async fn rejoin(&mut self) {
        let was_connected = self.place.is_some();
        let at = match (self.passed.position, self.request.cursor.join_at()) {
            (EventId::ZERO, JoinAt::Earliest) => JoinAt::Earliest,
            (position, _) => JoinAt::Behind(position),
        };
        self.may_join = false;
        let Join::Joined(joined) = self.subscription.join(at).await else {
            self.place = None;
            return;
        };
        let Joined { place, replay, position, is_gap, documents } = joined;
        let view = self.take_place(place, replay, &documents);
        self.end.may_be_over = true;
        if is_gap || !was_connected {
            self.shared.metrics.replayed(!is_gap);
            self.connect(position, !is_gap, is_gap, &view);
        }
    }

    /// Tells what the store says anew; behind the steps, where it tells of an end.
    async fn tell_statuses(&mut self) {
        let statuses = self.follow.seen();
        let view = self.look_at(&statuses, &self.subscription.documents());
        let updates = self.untold(&view);
        let ends = updates.iter().any(|update| update.status.is_terminal());
        if ends && self.settle(statuses.read_at).await {
            return self.follow.unsee();
        }
        if self.end.knows_store {
            self.end.is_stirred |= !updates.is_empty();
        } else {
            self.compare_with_mark(&view);
        }
        self.end.may_be_over = true;
        self.told = told(&view);
        if self.shows("document_update") {
            self.pending.extend(updates.into_iter().map(Frame::DocumentUpdate));
        }
    }

    fn untold(&self, view: &CoverageView) -> Vec<DocumentUpdate> {
        let is_told = |id: &Id, attempt, status| {
            self.told
                .iter()
                .any(|told| told.document == *id && told.attempt == attempt && told.status == status)
        };
        let documents = view.documents.iter().filter(|document| {
            document.is_told_by_status && !is_told(&document.document_id, document.attempt, document.status)
        });
        let updates = documents.map(|document| DocumentUpdate {
            document_id: document.document_id.clone(),
            status: document.status,
            reason: document.reason.clone(),
            attempt: document.attempt,
            updated_at: document.updated_at.clone(),
        });
        updates.collect()
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
        let untold = self.untold(&view);
        if !untold.is_empty() {
            return self.follow.unsee();
        }
        if view.is_active() || !self.is_owed(&view) || statuses.read <= self.end.needs_read_behind {
            return;
        }
        if self.settle(statuses.read_at).await {
            self.end.may_be_over = true;
            return;
        }
        self.tell_done(&view);
    }

    fn tell_done(&mut self, view: &CoverageView) {
        let ended = |document: &super::DocumentView| EndedDocument {
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
        };
        let view =
            self.coverage.view(&statuses.documents, documents, self.shared.clock.milliseconds(), limits);
        self.end.was_active = view.is_active();
        self.end.is_stirred |= view.is_active();
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
            Ok(()) = self.broker_state.changed() => self.broker_state.mark_changed(),
            Ok(()) = self.store_state.changed() => self.store_state.mark_changed(),
            () = sleep_until(self.ends_at.0) => {}
            () = self.shared.shutdown.cancelled() => {}
        }
    }

    /// Asks for a status read behind the last end, unless there was one or the store is down.
    fn wanted_read(&self) -> OptionFuture<impl Future<Output = bool> + Send + use<>> {
        let read = self.end.needs_read_behind;
        let is_wanted = *self.store_state.borrow() && self.follow.current().read <= read;
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

    fn tell_sources_that_are_down(&mut self) {
        if !*self.broker_state.borrow_and_update() {
            self.tell_source(self.shared.hub.source_name(), false);
        }
        if !*self.store_state.borrow_and_update() {
            self.tell_source(self.shared.statuses.source_name(), false);
        }
    }

    /// Tells of sources that went down or came back, before anything that follows from it.
    fn tell_sources(&mut self) -> bool {
        let is_broker = self.broker_state.has_changed().unwrap_or(false);
        let is_store = self.store_state.has_changed().unwrap_or(false);
        if is_broker {
            let is_up = *self.broker_state.borrow_and_update();
            self.may_join |= is_up;
            self.tell_source(self.shared.hub.source_name(), is_up);
        }
        if is_store {
            let is_up = *self.store_state.borrow_and_update();
            self.end.may_be_over = true;
            self.tell_source(self.shared.statuses.source_name(), is_up);
        }
        is_broker || is_store
    }

    fn tell_source(&mut self, source: &'static str, is_up: bool) {
        self.pending.push_back(Frame::Source(SourceChange { source, state: SourceState::of(is_up) }));
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        if !self.has_ended {
            self.shared.metrics.stream_ended("viewer_left");
        }
    }
}

fn told(view: &CoverageView) -> Vec<Told> {
    let documents = view.documents.iter().filter(|document| document.is_told_by_status);
    let told = documents.map(|document| Told {
        document: document.document_id.clone(),
        attempt: document.attempt,
        status: document.status,
    });
    told.collect()
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

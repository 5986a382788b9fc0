//! One viewer's stream: decides what it is told next.
//!
//! The order is: the end of the stream, sources, replay, events of the log, what the subject tells beside
//! the log. The rules of ids are those of the wire contract, under the same words.

mod joining;

use std::sync::Arc;

use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, sleep_until},
};

use super::{
    Shared,
    alarm::Alarm,
    feed::{BATCH, Feed},
    frame::{Frame, Heartbeat, ReconnectReason},
    request::StreamRequest,
    subject::Subject,
};
use crate::{
    event::Cursor,
    hub::{Batch, HubEvent},
    telemetry::StreamOpen,
};

/// A stream as one viewer sees it.
pub struct Viewer {
    shared: Arc<Shared>,
    feed: Feed,
    subject: Subject,
    /// Waits for all but events of the log.
    alarm: Alarm<Woken>,
    /// What the alarm is set for; nothing when it is not.
    expected: Option<Expected>,
    _open: StreamOpen,
    _place_taken: OwnedSemaphorePermit,
}

/// What a stream waits for beside what all do.
#[derive(PartialEq, Eq)]
struct Expected {
    /// A status read behind the one of this number.
    read_behind: Option<u64>,
}

/// Why a stream was woken beside its log.
enum Woken {
    /// Something has changed: a look shows what.
    Change,
    /// The status read that was expected has come.
    Read,
}

impl Viewer {
    /// Opens a stream; nothing when all is over and the viewer has been told so.
    pub(super) async fn open(
        shared: &Arc<Shared>,
        place: OwnedSemaphorePermit,
        request: StreamRequest,
    ) -> Option<Self> {
        let opened_at = Instant::now();
        // Subscribed before the store is asked, so that the log is followed from then on.
        let feed = Feed::open(shared, request, opened_at);
        let subject = Subject::open(shared, &feed.request).await;
        let open = shared.metrics.open_stream(feed.request.channel.kind());
        let mut viewer = Self {
            subject,
            feed,
            alarm: Alarm::unset(),
            expected: None,
            _open: open,
            _place_taken: place,
            shared: Arc::clone(shared),
        };
        viewer.begin().await.then_some(viewer)
    }

    /// Gives the next frame, or nothing once the stream has ended.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.next_pending() {
                return Some(frame);
            }
            if self.feed.has_ended {
                return None;
            }
            self.advance().await;
        }
    }

    /// Gives a frame that need not be waited for, if there is one.
    pub fn next_pending(&mut self) -> Option<Frame> {
        if self.feed.pending.is_empty() && !self.feed.has_ended {
            self.take_replay();
        }
        self.feed.pending.pop_front()
    }

    /// Does the next thing: tells something, or waits for something to tell.
    async fn advance(&mut self) {
        if (self.is_disturbed() && (self.has_to_end() || self.tell_sources())) || self.take_replay() {
            return;
        }
        // Boxed, as they are seldom wanted, and each stream would keep room for them.
        match self.feed.read_ring() {
            Some(Batch::Events(events)) if !events.is_empty() => {
                events.into_iter().for_each(|event| self.take(event))
            }
            Some(Batch::Lagged) => self.feed.end_with(ReconnectReason::SlowConsumer),
            Some(Batch::Rejoin) => Box::pin(self.rejoin()).await,
            None if self.feed.may_join => Box::pin(self.rejoin()).await,
            _ if self.subject.has_news() => Box::pin(self.subject.tell_news(&mut self.feed)).await,
            _ => self.wait().await,
        }
    }

    /// Says whether anything but events may have come since the alarm was set.
    fn is_disturbed(&self) -> bool {
        self.expected.is_none() || self.alarm.has_rung()
    }

    fn has_to_end(&mut self) -> bool {
        if self.shared.shutdown.is_cancelled() {
            self.feed.end_with(ReconnectReason::Shutdown);
        } else if Instant::now() >= self.feed.ends_at.0 {
            self.feed.end_with(self.feed.ends_at.1);
        }
        self.feed.has_ended
    }

    fn take_replay(&mut self) -> bool {
        let taken = self.feed.replay.len().min(BATCH);
        for _ in 0..taken {
            if let Some(event) = self.feed.replay.pop_front() {
                self.take(event);
            }
        }
        taken > 0
    }

    /// Takes one event of the log: tells it, if it is for this viewer.
    fn take(&mut self, event: Arc<HubEvent>) {
        // An instance may lag behind the one the viewer comes from: what it reads now has been told there.
        if event.id <= self.feed.passed.position {
            return;
        }
        self.feed.passed = Cursor::plain(event.id);
        let Some(shown) = &event.event else { return };
        if self.subject.take(&mut self.feed, &event, shown) && self.feed.shows(shown.name.as_str()) {
            self.shared.metrics.events.sent.inc();
            self.feed.pending.push_back(Frame::Event(event));
        }
    }

    /// Waits until there is something to do.
    async fn wait(&mut self) {
        let expected = Expected { read_behind: self.subject.wanted_read(self.feed.sources.is_store_up()) };
        if self.expected.as_ref() != Some(&expected) {
            self.alarm.set(self.anything_but_events(&expected));
            self.expected = Some(expected);
        }
        tokio::select! {
            biased;
            woken = self.alarm.happened() => self.wake_up(&woken),
            () = self.feed.subscription.changed() => self.feed.may_join = true,
        }
    }

    /// Waits for all but events of the log, from what this viewer has seen on.
    fn anything_but_events(&self, expected: &Expected) -> impl Future<Output = Woken> + Send + use<> {
        let (mut beats, mut sources) = (self.feed.beats.clone(), self.feed.sources.clone());
        let (news, read) = (self.subject.news(), self.subject.read_behind(expected.read_behind));
        let (ends_at, _) = self.feed.ends_at;
        let shared = Arc::clone(&self.shared);
        async move {
            tokio::select! {
                Some(_) = read => Woken::Read,
                () = news => Woken::Change,
                () = beats.changed() => Woken::Change,
                () = sources.changed() => Woken::Change,
                () = sleep_until(ends_at) => Woken::Change,
                () = shared.shutdown.cancelled() => Woken::Change,
            }
        }
    }

    fn wake_up(&mut self, woken: &Woken) {
        self.expected = None;
        if matches!(woken, Woken::Read) {
            self.subject.read_has_come();
        }
        if let Some(beat) = self.feed.beats.take() {
            self.beat(beat);
        }
    }

    /// Beats, and looks whether time alone has changed something.
    fn beat(&mut self, beat: Arc<Heartbeat>) {
        self.subject.beat(&mut self.feed);
        let cursor = self
            .feed
            .beats_with_position()
            .then(|| Cursor { position: self.feed.passed.position, mark: self.subject.mark(&self.feed) });
        self.feed.pending.push_back(Frame::Heartbeat(beat, cursor));
        self.feed.may_join = true;
    }

    /// Tells of sources that went down or came back, before anything that follows from it.
    fn tell_sources(&mut self) -> bool {
        let changes = self.feed.sources.take_changes();
        if changes.is_empty() {
            return false;
        }
        self.feed.may_join = true;
        self.subject.sources_changed();
        self.feed.pending.extend(changes.into_iter().map(Frame::Source));
        true
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        if !self.feed.has_ended {
            self.shared.metrics.stream_ended("viewer_left");
        }
    }
}

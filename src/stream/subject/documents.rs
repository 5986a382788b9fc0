//! A patient's documents: events and statuses merged, and `done` when all is over.
//!
//! The order is: events of the log first, then status changes, then the end. Before an end
//! that the store tells of and the log does not, the log is caught up once, so that the outcome
//! never overtakes the steps. The rules of `done` are those of the wire contract, under the same words.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use tokio::time::Instant;

use crate::{
    documents::{PatientStatuses, StatusFollow},
    event::{Cursor, DocumentProgress, Event, Id, LogState, Mark},
    hub::HubEvent,
    stream::{
        ActivityLimits, Shared,
        coverage::{Coverage, CoverageView, DocumentView},
        end_rules::EndRules,
        feed::Feed,
        frame::{Done, EndedDocument, Frame, Snapshot},
        request::StreamRequest,
        told::ToldStatuses,
    },
};

/// Longest wait for the log before an end is told.
const SETTLE_WITHIN: Duration = Duration::from_secs(1);

/// What a viewer of documents is told beside the log.
pub(in crate::stream) struct Documents {
    shared: Arc<Shared>,
    coverage: Coverage,
    follow: StatusFollow,
    told: ToldStatuses,
    end: EndRules,
    /// Where everything stood when it was last looked.
    view: CoverageView,
}

impl Documents {
    pub(super) async fn open(shared: &Arc<Shared>, request: &StreamRequest) -> Self {
        let follow = shared.statuses.follow(request.channel.id(), &request.documents);
        let reads_before = follow.reads_begun();
        follow.read_behind(reads_before).await;
        Self {
            shared: Arc::clone(shared),
            coverage: Coverage { named: request.documents.clone() },
            follow,
            told: ToldStatuses::default(),
            end: EndRules::new(request, reads_before),
            view: CoverageView::default(),
        }
    }

    /// Looks at where everything stands before the events of `replay`.
    pub(super) fn arrive(&mut self, feed: &mut Feed, log: &LogState, replay: &[Arc<HubEvent>]) {
        let is_covered = |event: &Arc<HubEvent>| {
            event.event.as_ref().is_some_and(|event| self.coverage.covers(event.subject.as_ref()))
        };
        self.end.is_stirred |= replay.iter().any(is_covered);
        self.look(feed, log.documents());
    }

    /// A viewer that was told `done` of just this state is sent away for good.
    pub(super) fn is_finished(&mut self, feed: &Feed) -> bool {
        self.compare_with_mark(feed);
        let request = &feed.request;
        let was_told = request.cursor.told_newest() == Some(self.view.newest()) && request.cursor.is_done();
        let is_over = !self.view.is_active() && !self.is_owed();
        was_told && self.end.knows_store && !request.follow && is_over
    }

    fn compare_with_mark(&mut self, feed: &Feed) {
        let knows_store = self.follow.current().read > 0;
        self.end.compare(feed.request.cursor.told_newest(), &self.view, knows_store);
    }

    pub(super) fn mark(&self, feed: &Feed) -> Mark {
        self.end.mark(&self.view, &self.coverage.named, feed.request.cursor.told_newest())
    }

    pub(super) fn tell_snapshot(&mut self) -> Snapshot {
        self.told = ToldStatuses::of(&self.view);
        Snapshot::Documents { documents: self.view.documents.clone() }
    }

    pub(super) const fn look_for_the_end_soon(&mut self) {
        self.end.may_be_over = true;
    }

    pub(super) fn take(&mut self, feed: &mut Feed, event: &HubEvent, shown: &Event) -> bool {
        if !self.coverage.covers(shown.subject.as_ref()) {
            return false;
        }
        self.end.is_stirred = true;
        self.end.was_active = true;
        feed.subscription.rest(false);
        if shown.terminal {
            self.end.needs_read_behind = self.follow.reads_begun();
            self.end.may_be_over = true;
            self.follow.expect_end(event.read_at);
        }
        true
    }

    pub(super) fn has_news(&self) -> bool {
        self.follow.has_changed() || self.end.may_be_over
    }

    pub(super) async fn tell_news(&mut self, feed: &mut Feed) {
        if self.follow.has_changed() {
            self.tell_statuses(feed).await;
        } else {
            self.look_for_the_end(feed).await;
        }
    }

    /// Tells what the store says anew; behind the steps, where it tells of an end.
    async fn tell_statuses(&mut self, feed: &mut Feed) {
        let statuses = self.follow.seen();
        self.look_at(feed, &statuses, feed.subscription.log_state().documents());
        let updates = self.told.missing(&self.view);
        let may_miss_steps = updates
            .iter()
            .any(|update| update.status.is_terminal() && !self.view.is_end_logged(&update.document_id));
        if feed.has_unread() || (may_miss_steps && self.settle(feed, statuses.read_at).await) {
            return self.follow.unsee();
        }
        if self.end.knows_store {
            self.end.is_stirred |= !updates.is_empty();
        } else {
            self.compare_with_mark(feed);
        }
        self.end.may_be_over = true;
        self.told = ToldStatuses::of(&self.view);
        if feed.shows("document_update") {
            feed.pending.extend(updates.into_iter().map(|update| Frame::DocumentUpdate(Box::new(update))));
        }
    }

    /// Catches the log up behind a status read; true when that has just been done.
    async fn settle(&mut self, feed: &Feed, read_at: Option<Instant>) -> bool {
        if self.end.settled_for >= read_at {
            return false;
        }
        self.end.settled_for = read_at;
        if let Some(read_at) = read_at {
            feed.subscription.settle(read_at, SETTLE_WITHIN).await;
        }
        true
    }

    /// Tells `done`, if it is owed and nothing covered is active.
    async fn look_for_the_end(&mut self, feed: &mut Feed) {
        self.end.may_be_over = false;
        let statuses = self.follow.current();
        self.look(feed, feed.subscription.log_state().documents());
        let untold = self.told.missing(&self.view);
        if !untold.is_empty() {
            return self.follow.unsee();
        }
        self.end.waits_for_read = statuses.read <= self.end.needs_read_behind;
        if self.view.is_active() || !self.is_owed() || self.end.waits_for_read {
            return;
        }
        if feed.has_unread() || (self.view.may_miss_steps() && self.settle(feed, statuses.read_at).await) {
            self.end.may_be_over = true;
            return;
        }
        self.tell_done(feed);
    }

    fn is_owed(&self) -> bool {
        self.end.is_owed(&self.view, &self.coverage.named)
    }

    fn tell_done(&mut self, feed: &mut Feed) {
        let ended = |document: &DocumentView| EndedDocument {
            document_id: document.document_id.clone(),
            status: document.status,
            reason: document.reason.clone(),
        };
        feed.pending.push_back(Frame::Done(Box::new(Done {
            cursor: Cursor::done(feed.passed.position, self.view.newest()),
            documents: self.view.documents.iter().map(ended).collect(),
        })));
        self.end.has_told_done();
        if !feed.request.follow {
            feed.end("done");
        }
    }

    /// Looks at where everything stands.
    fn look(&mut self, feed: &mut Feed, documents: &[(Id, DocumentProgress)]) {
        let statuses = self.follow.current();
        self.look_at(feed, &statuses, documents);
    }

    fn look_at(&mut self, feed: &mut Feed, statuses: &PatientStatuses, documents: &[(Id, DocumentProgress)]) {
        let settings = &self.shared.settings;
        let limits = ActivityLimits {
            active_for: as_milliseconds(settings.active_for),
            silent_for: as_milliseconds(settings.silent_for),
            logged_for: as_milliseconds(settings.logged_for),
        };
        let now = self.shared.clock.milliseconds();
        self.view = self.coverage.view(&statuses.documents, documents, now, limits);
        let is_active = self.view.is_active();
        self.end.was_active = is_active;
        self.end.is_stirred |= is_active;
        feed.subscription.rest(!is_active);
    }

    pub(super) fn news(&self) -> impl Future<Output = ()> + Send + use<> {
        self.follow.changed()
    }

    /// Gives the read behind which the last end can be told, if it was still to come.
    pub(super) fn wanted_read(&self) -> Option<u64> {
        self.end.waits_for_read.then_some(self.end.needs_read_behind)
    }

    pub(super) fn read_behind(&self, read: u64) -> BoxFuture<'static, bool> {
        self.follow.read_behind(read).boxed()
    }

    pub(super) fn beat(&mut self, feed: &mut Feed) {
        if feed.beats_with_position() {
            self.look(feed, feed.subscription.log_state().documents());
        }
        self.end.may_be_over |= self.end.was_active;
    }
}

fn as_milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

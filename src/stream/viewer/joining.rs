//! How a viewer comes in: at its cursor, at a seam, or while the log cannot be read.

use std::sync::Arc;

use chrono::SecondsFormat;

use super::{ToldStatuses, Viewer};
use crate::{
    event::{Cursor, DocumentProgress, EventId, Id},
    hub::{HubEvent, Join, JoinAt, Joined, Place},
    stream::{
        coverage::CoverageView,
        frame::{Connected, Frame},
        request::ViewerCursor,
    },
};

impl Viewer {
    /// Connects for the first time; false when the viewer need not have come.
    pub(super) async fn begin(&mut self) -> bool {
        self.pending.extend(self.sources.take_down().into_iter().map(Frame::Source));
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
        self.told = ToldStatuses::of(&view);
        self.tell_connected(cursor, given.is_some(), false, view);
        true
    }

    /// Tells the first or the next `connected`.
    fn connect(&mut self, position: EventId, resumed: bool, gap: bool, view: &CoverageView) {
        self.passed = Cursor::plain(position);
        let cursor = match self.request.cursor {
            ViewerCursor::At(Cursor::EARLIEST) if resumed && position == EventId::ZERO => Cursor::EARLIEST,
            _ => self.marked(position, view),
        };
        self.told = ToldStatuses::of(view);
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

    pub(super) fn compare_with_mark(&mut self, view: &CoverageView) {
        let knows_store = self.follow.current().read > 0;
        self.end.compare(self.request.cursor.told_newest(), view, knows_store);
    }

    /// A viewer that was told `done` of just this state is sent away for good.
    fn is_finished(&self, view: &CoverageView) -> bool {
        let was_told =
            self.request.cursor.told_newest() == Some(view.newest()) && self.request.cursor.is_done();
        was_told && self.end.knows_store && !self.request.follow && !view.is_active() && !self.is_owed(view)
    }

    /// The log was read anew: goes on where the viewer stands, or says that there is a gap.
    pub(super) async fn rejoin(&mut self) {
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
}

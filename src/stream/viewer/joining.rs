//! How a viewer comes in: at its cursor, at a seam, or while the log cannot be read.

use chrono::SecondsFormat;

use super::Viewer;
use crate::{
    event::{ChannelFold, Cursor, EventId},
    hub::{Join, JoinAt, Joined},
    stream::{
        frame::{Connected, Frame},
        request::ViewerCursor,
    },
};

impl Viewer {
    /// Connects for the first time; false when the viewer need not have come.
    pub(super) async fn begin(&mut self) -> bool {
        let down = self.feed.sources.take_down();
        self.feed.pending.extend(down.into_iter().map(Frame::Source));
        let cursor = self.feed.request.cursor;
        match self.feed.subscription.join(cursor.join_at()).await {
            Join::Joined(joined) => {
                let (position, is_gap) = (joined.position, joined.is_gap);
                self.take_place(joined);
                if self.is_finished() {
                    return false;
                }
                let is_new = cursor == ViewerCursor::New;
                if !is_new {
                    self.shared.metrics.replayed(!is_gap);
                }
                self.connect(position, !is_new && !is_gap, is_gap);
                true
            }
            Join::Down => self.begin_without_log(),
        }
    }

    /// Keeps the viewer's place until the log can be read.
    fn begin_without_log(&mut self) -> bool {
        let nothing = ChannelFold::of(self.feed.request.channel.kind()).state();
        self.subject.arrive(&mut self.feed, &nothing, &[]);
        if self.is_finished() {
            return false;
        }
        let given = match self.feed.request.cursor {
            ViewerCursor::At(cursor) => Some(cursor),
            _ => None,
        };
        self.feed.passed = Cursor::plain(given.map_or(EventId::ZERO, |cursor| cursor.position));
        let cursor = given.unwrap_or_else(|| self.marked(EventId::ZERO));
        self.tell_connected(cursor, given.is_some(), false);
        true
    }

    /// A viewer that need not have come is sent away for good.
    fn is_finished(&mut self) -> bool {
        self.feed.has_ended = self.subject.is_finished(&self.feed);
        self.feed.has_ended
    }

    /// Gives `position` the mark of what the viewer knows there.
    fn marked(&self, position: EventId) -> Cursor {
        Cursor { position, mark: self.subject.mark(&self.feed) }
    }

    /// Tells the first or the next `connected`.
    fn connect(&mut self, position: EventId, resumed: bool, gap: bool) {
        self.feed.passed = Cursor::plain(position);
        let cursor = match self.feed.request.cursor {
            ViewerCursor::At(Cursor::EARLIEST) if resumed && position == EventId::ZERO => Cursor::EARLIEST,
            _ => self.marked(position),
        };
        self.tell_connected(cursor, resumed, gap);
    }

    fn tell_connected(&mut self, cursor: Cursor, resumed: bool, gap: bool) {
        let snapshot = self.subject.tell_snapshot(resumed);
        self.feed.pending.push_back(Frame::Connected(Box::new(Connected {
            cursor,
            channel: self.feed.request.channel.to_string(),
            server_time: self.shared.clock.now().to_rfc3339_opts(SecondsFormat::Millis, true),
            resumed,
            gap,
            snapshot,
        })));
    }

    /// Takes the place behind the seam and what was missed before it.
    fn take_place(&mut self, joined: Joined) {
        self.feed.place = Some(joined.place);
        self.subject.arrive(&mut self.feed, &joined.state, &joined.replay);
        self.feed.replay = joined.replay.into();
    }

    /// The log was read anew: goes on where the viewer stands, or says that there is a gap.
    pub(super) async fn rejoin(&mut self) {
        let was_connected = self.feed.place.is_some();
        let at = match (self.feed.passed.position, self.feed.request.cursor.join_at()) {
            (EventId::ZERO, JoinAt::Earliest) => JoinAt::Earliest,
            (position, _) => JoinAt::Behind(position),
        };
        self.feed.may_join = false;
        let Join::Joined(joined) = self.feed.subscription.join(at).await else {
            self.feed.place = None;
            return;
        };
        let (position, is_gap) = (joined.position, joined.is_gap);
        self.take_place(joined);
        self.subject.has_rejoined();
        if is_gap || !was_connected {
            self.shared.metrics.replayed(!is_gap);
            self.connect(position, !is_gap, is_gap);
        }
    }
}

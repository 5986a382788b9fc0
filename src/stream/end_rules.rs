//! Why a stream owes its viewer a `done`, and which mark its ids carry until then.
//!
//! The letters (a), (b) and (c) are those of the wire contract.

use tokio::time::Instant;

use super::{coverage::CoverageView, request::StreamRequest};
use crate::event::{Id, Mark};

/// What `done` waits for and why it is owed.
pub(super) struct EndRules {
    /// (a) Something covered was active or changed since `connected` or the last `done`.
    pub(super) is_stirred: bool,
    /// (b) The viewer came with a plain cursor.
    pub(super) is_owed_by_cursor: bool,
    /// (c) The viewer named documents and had no mark of an end.
    pub(super) is_owed_by_name: bool,
    /// Which mark a quiet stream carries.
    quiet: Quiet,
    /// Something may have ended since it was last looked at.
    pub(super) may_be_over: bool,
    /// Something was under way when it was last looked at.
    pub(super) was_active: bool,
    /// The store has been read since the stream was opened.
    pub(super) knows_store: bool,
    /// An end is told from a status read behind this one: begun after the newest step that may
    /// have ended a document was taken, and after the stream was opened.
    pub(super) needs_read_behind: u64,
    /// That read was still to come when it was last looked: whoever waits has to look again behind it, also
    /// when it came before the wait began.
    pub(super) waits_for_read: bool,
    /// The status read behind which the log has been caught up.
    pub(super) settled_for: Option<Instant>,
}

/// What a viewer on a quiet stream had been told.
#[derive(Clone, Copy)]
enum Quiet {
    Idle,
    Done,
    Nothing,
}

impl EndRules {
    pub(super) fn new(request: &StreamRequest, reads_before: u64) -> Self {
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
            waits_for_read: false,
            settled_for: None,
        }
    }

    /// Says whether `done` is owed once nothing covered is active.
    pub(super) fn is_owed(&self, view: &CoverageView, named: &[Id]) -> bool {
        self.is_stirred || self.is_owed_by_cursor || (self.is_owed_by_name && view.all_over(named))
    }

    /// Notes that `done` has been told.
    pub(super) fn has_told_done(&mut self) {
        self.is_stirred = false;
        self.is_owed_by_cursor = false;
        self.is_owed_by_name = false;
        self.quiet = Quiet::Done;
    }

    /// Looks whether anything moved since the viewer's mark was given; not before the store was read.
    ///
    /// An idle viewer that nothing is known of any more is left alone: the log has forgotten
    /// what its mark stood for, and there is no outcome to tell.
    pub(super) fn compare(&mut self, told_newest: Option<u64>, view: &CoverageView, knows_store: bool) {
        self.knows_store = knows_store;
        let is_forgotten = matches!(self.quiet, Quiet::Idle) && view.documents.is_empty();
        let has_moved = told_newest.is_some_and(|told| told != view.newest());
        self.is_stirred |= knows_store && has_moved && !is_forgotten;
    }

    /// Gives the mark of a viewer that sees `view`; `told_newest` came with the viewer.
    pub(super) fn mark(&self, view: &CoverageView, named: &[Id], told_newest: Option<u64>) -> Mark {
        let is_quiet = !view.is_active() && !self.is_owed(view, named);
        // What the store would say is not known while it is down: the old mark still stands.
        let newest = if self.knows_store { None } else { told_newest }.unwrap_or_else(|| view.newest());
        match self.quiet {
            Quiet::Idle if is_quiet => Mark::Idle(newest),
            Quiet::Done if is_quiet => Mark::Done(newest),
            _ => Mark::Plain,
        }
    }
}

//! The one query behind estimates, the same for every database.

use sqlx::FromRow;

use crate::documents::estimates::PastRun;

/// The newest `$1` documents that went well, with when their last attempt came to each stage.
pub(super) const PAST_RUNS: &str = "
SELECT size, pages, is_scan, reading_at, read_at, analyzing_at, analyzed_at, updated_at AS ended_at
FROM documents WHERE status = 'complete' ORDER BY updated_at DESC LIMIT $1";

/// One document that went well.
#[derive(FromRow)]
pub(super) struct RunRow {
    size: i64,
    pages: Option<i64>,
    is_scan: Option<bool>,
    reading_at: Option<i64>,
    read_at: Option<i64>,
    analyzing_at: Option<i64>,
    analyzed_at: Option<i64>,
    ended_at: i64,
}

impl RunRow {
    /// Leaves out those of which not all is known: of earlier versions, or by other hands.
    pub(super) fn read_all(rows: Vec<Self>) -> Vec<PastRun> {
        rows.into_iter().filter_map(Self::read).collect()
    }

    fn read(self) -> Option<PastRun> {
        let stages = [self.reading_at?, self.read_at?, self.analyzing_at?, self.analyzed_at?];
        let rest = |at: i64| u64::try_from(self.ended_at - at).ok();
        Some(PastRun {
            bytes: u64::try_from(self.size).ok()?,
            pages: u32::try_from(self.pages?).ok()?,
            is_scan: self.is_scan?,
            rest: [rest(stages[0])?, rest(stages[1])?, rest(stages[2])?, rest(stages[3])?],
        })
    }
}

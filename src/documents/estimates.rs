//! How long a document takes still, by those before it.
//!
//! The store keeps when each document came to each stage. The newest that went well are read while documents are
//! worked on, once a minute at most, and compared in memory: no estimate is a query of its own. Whoever
//! works on a document tells the estimate with the event, so that viewers cost nothing.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use super::store::DocumentStore;
use crate::event::Stage;

/// Runs that are read. Enough to find similar ones among documents of all sizes.
const RUNS_READ: u32 = 500;
/// Fewer similar runs say nothing.
const LEAST_SIMILAR: usize = 8;
/// Of more the newest count: what was made faster is told so after as many documents.
const MOST_SIMILAR: usize = 50;
/// How long what was read holds.
const HOLDS_FOR: Duration = Duration::from_secs(60);
/// How long it holds while there are too few of any size.
const FEW_HOLD_FOR: Duration = Duration::from_secs(5);
/// Longest wait for the store: no document waits for an estimate.
const READ_WITHIN: Duration = Duration::from_secs(1);
/// Files smaller than this take alike.
const SMALL_BYTES: u64 = 64 * 1_024;
/// What is so many times as large is not similar.
const SIMILAR_WITHIN: u64 = 2;

/// What is known of a document's size, at first only that of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// Bytes of its file.
    pub bytes: u64,
    /// Pages, once it has been read.
    pub pages: Option<u32>,
    /// Whether it takes OCR to read it, once that is known.
    pub is_scan: Option<bool>,
}

/// How long one document took that went well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastRun {
    /// Bytes of its file.
    pub bytes: u64,
    /// Its pages.
    pub pages: u32,
    /// Whether OCR read it.
    pub is_scan: bool,
    /// From `ocr_started`, `ocr_complete`, `analysis_started` and `analysis_complete` to its end, in milliseconds.
    pub rest: [u64; 4],
}

/// How long a document takes still, in whole seconds; nine in ten take no less than `least`, nine in ten no
/// more than `most`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Rounded down.
    pub least: u64,
    /// Rounded up.
    pub most: u64,
}

/// Compares documents with those before them.
pub struct Estimates {
    store: Arc<dyn DocumentStore>,
    /// The newest first.
    runs: RwLock<Arc<[PastRun]>>,
    /// When they were last asked for.
    read_at: Mutex<Option<Instant>>,
}

impl Estimates {
    /// Compares with what `store` keeps.
    #[must_use]
    pub fn over(store: Arc<dyn DocumentStore>) -> Self {
        Self { store, runs: RwLock::default(), read_at: Mutex::default() }
    }

    /// Reads the runs again if it is time; waits a second at most. What cannot be read changes nothing.
    pub async fn refresh(&self) {
        let mut read_at = self.read_at.lock().await;
        let holds_for = if self.runs().len() < LEAST_SIMILAR { FEW_HOLD_FOR } else { HOLDS_FOR };
        if read_at.is_some_and(|read_at| read_at.elapsed() < holds_for) {
            return;
        }
        *read_at = Some(Instant::now());
        match timeout(READ_WITHIN, self.store.past_runs(RUNS_READ)).await {
            Ok(Ok(runs)) => *self.runs.write().unwrap_or_else(PoisonError::into_inner) = runs.into(),
            Ok(Err(error)) => tracing::debug!(%error, "the runs of earlier documents could not be read"),
            Err(_) => tracing::debug!("the runs of earlier documents could not be read in time"),
        }
    }

    /// Estimates how long a document at `stage` takes still; nothing while too few like it are known.
    #[must_use]
    pub fn at(&self, stage: Stage, measure: Measure) -> Option<Estimate> {
        estimate(&self.runs(), stage, measure)
    }

    fn runs(&self) -> Arc<[PastRun]> {
        Arc::clone(&self.runs.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Measure {
    /// Says whether a document that took `run` was much like this one: in pages, once they are known.
    fn is_like(self, run: &PastRun) -> bool {
        let is_read_alike = self.is_scan.is_none_or(|is_scan| is_scan == run.is_scan);
        match self.pages {
            Some(pages) => are_similar(pages.into(), run.pages.into()),
            None => is_read_alike && are_similar(self.bytes.max(SMALL_BYTES), run.bytes.max(SMALL_BYTES)),
        }
    }
}

impl PastRun {
    fn rest_from(&self, stage: Stage) -> Option<u64> {
        let place = match stage {
            Stage::UploadReceived | Stage::OcrStarted => 0,
            Stage::OcrComplete => 1,
            Stage::AnalysisStarted => 2,
            Stage::AnalysisComplete => 3,
            Stage::MatchingComplete => return None,
        };
        Some(self.rest[place])
    }
}

fn are_similar(one: u64, other: u64) -> bool {
    one <= other.saturating_mul(SIMILAR_WITHIN) && other <= one.saturating_mul(SIMILAR_WITHIN)
}

fn estimate(runs: &[PastRun], stage: Stage, measure: Measure) -> Option<Estimate> {
    let similar = runs.iter().filter(|run| measure.is_like(run)).take(MOST_SIMILAR);
    let mut rests: Vec<_> = similar.filter_map(|run| run.rest_from(stage)).collect();
    if rests.len() < LEAST_SIMILAR {
        return None;
    }
    rests.sort_unstable();
    let last = rests.len() - 1;
    Some(Estimate { least: rests[last / 10] / 1_000, most: rests[last - last / 10].div_ceil(1_000).max(1) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const READING: Stage = Stage::OcrStarted;

    fn run(pages: u32, seconds: u64) -> PastRun {
        let rest = [4, 3, 2, 1].map(|quarters| seconds * 250 * quarters);
        PastRun { bytes: u64::from(pages) * 100_000, pages, is_scan: false, rest }
    }

    fn of_bytes(bytes: u64) -> Measure {
        Measure { bytes, pages: None, is_scan: None }
    }

    fn seconds(estimate: Option<Estimate>) -> Option<(u64, u64)> {
        estimate.map(|estimate| (estimate.least, estimate.most))
    }

    #[test]
    fn too_few_like_it_say_nothing() {
        let runs: Vec<_> = (1..=8).map(|n| run(4, n)).collect();

        assert_eq!(seconds(estimate(&runs, READING, of_bytes(400_000))), Some((1, 8)));
        assert_eq!(estimate(&runs[..7], READING, of_bytes(400_000)), None);
        assert_eq!(estimate(&runs, READING, of_bytes(1_000_000)), None, "it is much larger");
        assert_eq!(estimate(&runs, READING, of_bytes(100_000)), None, "it is much smaller");
        assert_eq!(estimate(&[], READING, of_bytes(400_000)), None);
    }

    #[test]
    fn the_fastest_and_the_slowest_tenth_are_left_out() {
        let runs: Vec<_> = (1..=21).map(|n| run(4, n * 10)).collect();

        assert_eq!(seconds(estimate(&runs, READING, of_bytes(400_000))), Some((30, 190)));
    }

    #[test]
    fn what_is_left_becomes_less_with_each_stage_and_nothing_at_the_end() {
        let runs = [run(4, 40); 8];

        let left = Stage::ALL.map(|stage| estimate(&runs, stage, of_bytes(400_000)).map(|left| left.most));

        assert_eq!(left, [Some(40), Some(40), Some(30), Some(20), Some(10), None]);
    }

    #[test]
    fn the_newest_count_where_there_are_many() {
        let runs: Vec<_> = [run(4, 5); 50].into_iter().chain([run(4, 500); 400]).collect();

        assert_eq!(seconds(estimate(&runs, READING, of_bytes(400_000))), Some((5, 5)));
    }

    #[test]
    fn scans_are_compared_with_scans_until_the_pages_are_known() {
        let scan = PastRun { is_scan: true, ..run(4, 60) };
        let runs: Vec<_> = [run(4, 2); 8].into_iter().chain([scan; 8]).collect();
        let measure = |is_scan, pages| Measure { bytes: 400_000, pages, is_scan };

        assert_eq!(seconds(estimate(&runs, READING, measure(None, None))), Some((2, 60)));
        assert_eq!(seconds(estimate(&runs, READING, measure(Some(false), None))), Some((2, 2)));
        assert_eq!(seconds(estimate(&runs, READING, measure(Some(true), None))), Some((60, 60)));
        assert_eq!(estimate(&runs, Stage::OcrComplete, measure(Some(true), Some(40))), None);
    }

    #[test]
    fn small_files_are_alike() {
        let runs = [PastRun { bytes: 900, ..run(1, 3) }; 8];

        assert_eq!(seconds(estimate(&runs, READING, of_bytes(60_000))), Some((3, 3)));
    }
}

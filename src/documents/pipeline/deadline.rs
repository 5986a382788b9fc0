//! How long a document may stand still: the one table of deadlines.

use std::time::Duration;

use crate::documents::DocumentStatus;

/// After this long no word of OCR comes any more: the link to the file has ended, and the queue's own tries to
/// call back.
const SILENT_FOR: Duration = Duration::from_secs(3 * 3_600);
/// How long a document that is at OCR rests. Longer than its deadline by more than clocks differ: whoever takes
/// it up then must find it past its deadline, and not send it to OCR again.
pub(super) const RESTS_FOR: Duration = Duration::from_secs(SILENT_FOR.as_secs() + 120);

const fn minutes(count: u64) -> Option<Duration> {
    Some(Duration::from_secs(count * 60))
}

/// Gives how long a document nobody works on may have stood at `status` and still be taken up; none
/// where it is over.
///
/// A worker that ended is followed by another within seconds. What stands still for so long has taken
/// each of its workers down, or there was none: its viewers have waited long enough. All but that of
/// OCR end before streams take a document that does not move for over (`ACTIVE_MAX_SECONDS`, 3,600 s).
pub(super) const fn deadline(status: DocumentStatus, goes_to_ocr: bool) -> Option<Duration> {
    match status {
        // Uploads wait here and there for their turn, two of them have it.
        DocumentStatus::OcrProcessing if goes_to_ocr => Some(SILENT_FOR),
        DocumentStatus::Uploaded | DocumentStatus::OcrProcessing | DocumentStatus::Analyzing => minutes(30),
        DocumentStatus::OcrComplete | DocumentStatus::Analyzed => minutes(15),
        DocumentStatus::Complete | DocumentStatus::Failed => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_under_way_has_a_deadline_and_streams_still_watch_at_its_end() {
        for status in DocumentStatus::ALL {
            let deadline = deadline(status, false);

            assert_eq!(deadline.is_none(), status.is_terminal());
            assert!(deadline.is_none_or(|deadline| deadline < Duration::from_secs(3_600)));
        }
    }
}

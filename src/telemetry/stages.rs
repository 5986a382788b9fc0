//! Pairs the start of each stage with its end, by the events that this process emits.
//!
//! A stage such as OCR is told by two names, `ocr_started` and `ocr_complete`, or by one name with a
//! status; both count. Matching begins where the analysis ends. Times are the events' own, so a producer that tells late is timed right.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};

use super::traces::TraceParent;
use crate::event::{Id, ProgressEvent, Stage, StepStatus};

/// Documents remembered; beyond it the one first heard of is forgotten.
const MOST_DOCUMENTS: usize = 4_096;

/// Longest code of a failure.
const MAX_CODE_CHARS: usize = 64;

/// A piece of work on a document, from its start to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Work {
    /// Taking the file in.
    Upload,
    /// Reading its text.
    Ocr,
    /// Looking for findings.
    Analysis,
    /// Matching them with what the case needs.
    Matching,
}

/// What one event says of the work it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageStep {
    /// Which try of the document, from 1.
    pub attempt: u32,
    /// The work.
    pub work: Work,
    /// When it happened, by the event.
    pub at: DateTime<Utc>,
    /// When the work began that this event ends; none when it ends none, or its start is not known.
    pub began: Option<DateTime<Utc>>,
    /// When the attempt was first heard of.
    pub attempt_began: DateTime<Utc>,
    /// The caller's trace that the attempt belongs to, if one was given with this event or before.
    pub parent: Option<TraceParent>,
}

/// Remembers what was started. One per emitter.
#[derive(Default)]
pub struct StageClock {
    documents: Mutex<Documents>,
}

#[derive(Default)]
struct Documents {
    by_id: HashMap<Id, Attempt>,
    /// The oldest first.
    order: VecDeque<Id>,
}

struct Attempt {
    number: u32,
    began: DateTime<Utc>,
    started: HashMap<Work, DateTime<Utc>>,
    has_ended: bool,
    parent: Option<TraceParent>,
}

impl Work {
    /// Every work, in order.
    pub const ALL: [Self; 4] = [Self::Upload, Self::Ocr, Self::Analysis, Self::Matching];

    /// Gives the label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Ocr => "ocr",
            Self::Analysis => "analysis",
            Self::Matching => "matching",
        }
    }

    /// Says which work a stage belongs to.
    #[must_use]
    pub const fn of(stage: Stage) -> Self {
        match stage {
            Stage::UploadReceived => Self::Upload,
            Stage::OcrStarted | Stage::OcrComplete => Self::Ocr,
            Stage::AnalysisStarted | Stage::AnalysisComplete => Self::Analysis,
            Stage::MatchingComplete => Self::Matching,
        }
    }
}

impl StageStep {
    /// Gives how long the work took that the event ends; a clock that went back counts as nothing.
    #[must_use]
    pub fn took(&self) -> Option<std::time::Duration> {
        self.began.map(|began| (self.at - began).to_std().unwrap_or_default())
    }
}

impl StageClock {
    /// Takes in one event, given under `parent`; `now` stands in for a time that the event does not tell.
    pub fn note(&self, event: &ProgressEvent, parent: Option<&TraceParent>, now: DateTime<Utc>) -> StageStep {
        let told = event.timestamp.as_deref().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        let at = told.map_or(now, |told| told.to_utc());
        let work = Work::of(event.stage);
        let mut documents = self.lock();
        let number = documents.number(event);
        let attempt = documents.attempt(&event.document_id, number, at);
        if number < attempt.number {
            return StageStep { attempt: number, work, at, began: None, attempt_began: at, parent: None };
        }
        let began = match event.status {
            StepStatus::Started | StepStatus::InProgress => {
                attempt.started.entry(work).or_insert(at);
                None
            }
            StepStatus::Completed | StepStatus::Failed => attempt.end(work, at),
        };
        attempt.has_ended |= event.is_terminal();
        if let Some(parent) = parent {
            attempt.parent = Some(parent.clone());
        }
        StageStep {
            attempt: attempt.number,
            work,
            at,
            began,
            attempt_began: attempt.began,
            parent: attempt.parent.clone(),
        }
    }

    /// Notes the caller's trace that an attempt belongs to; nothing once a later attempt is known.
    pub fn join(&self, document: &Id, attempt: u32, parent: TraceParent, now: DateTime<Utc>) {
        let mut documents = self.lock();
        let known = documents.attempt(document, attempt, now);
        if known.number == attempt {
            known.parent = Some(parent);
        }
    }

    /// Gives the caller's trace that an attempt belongs to, as far as known here.
    #[must_use]
    pub fn parent_of(&self, document: &Id, attempt: u32) -> Option<TraceParent> {
        let documents = self.lock();
        documents.by_id.get(document).filter(|known| known.number == attempt)?.parent.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Documents> {
        self.documents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt {
    /// Ends a work and gives when it began. No stage tells that matching begins: it does where the
    /// analysis ends.
    fn end(&mut self, work: Work, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if work == Work::Analysis {
            self.started.entry(Work::Matching).or_insert(at);
        }
        self.started.remove(&work)
    }
}

impl Documents {
    /// Counts the attempt an event belongs to, by the rule that viewers' processes follow.
    fn number(&self, event: &ProgressEvent) -> u32 {
        let known = self.by_id.get(&event.document_id);
        let begins_anew = known.is_some_and(|it| it.has_ended) && event.stage == Stage::UploadReceived;
        event.attempt.unwrap_or(known.map_or(1, |it| it.number + u32::from(begins_anew)))
    }

    /// Gives an attempt, begun at `at` if it is the first heard of it; a later one in place of an
    /// earlier one that has been given up.
    fn attempt(&mut self, document: &Id, number: u32, at: DateTime<Utc>) -> &mut Attempt {
        if !self.by_id.contains_key(document) {
            self.make_room();
            self.order.push_back(document.clone());
        }
        let new = || Attempt { number, began: at, started: HashMap::new(), has_ended: false, parent: None };
        let attempt = self.by_id.entry(document.clone()).or_insert_with(new);
        if number > attempt.number {
            *attempt = new();
        }
        attempt
    }

    fn make_room(&mut self) {
        if self.order.len() >= MOST_DOCUMENTS
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_id.remove(&oldest);
        }
    }
}

/// Gives the code of a failure; words of a producer's own may say too much.
#[must_use]
pub fn failure_code(event: &ProgressEvent) -> Option<&str> {
    let is_code = |text: &&str| {
        text.len() <= MAX_CODE_CHARS && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    event.extra.get("reason")?.as_str().filter(is_code)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn event(stage: Stage, status: StepStatus, second: u32) -> ProgressEvent {
        let mut event = ProgressEvent::new(Id::parse("d1").unwrap(), stage).with_status(status);
        event.timestamp = Some(format!("2026-04-05T12:00:{second:02}Z"));
        event
    }

    #[test]
    fn a_stage_is_timed_by_two_names_and_by_one() {
        let clock = StageClock::default();
        let note = |stage, status, second| clock.note(&event(stage, status, second), None, Utc::now()).took();

        assert_eq!(note(Stage::OcrStarted, StepStatus::Started, 1), None);
        assert_eq!(note(Stage::OcrStarted, StepStatus::InProgress, 5), None);
        assert_eq!(note(Stage::OcrComplete, StepStatus::Completed, 9), Some(Duration::from_secs(8)));
        assert_eq!(note(Stage::MatchingComplete, StepStatus::Started, 10), None);
        assert_eq!(note(Stage::MatchingComplete, StepStatus::Completed, 12), Some(Duration::from_secs(2)));
        assert_eq!(note(Stage::MatchingComplete, StepStatus::Completed, 20), None, "it has ended already");
    }

    #[test]
    fn another_attempt_begins_anew() {
        let clock = StageClock::default();
        let note = |event: &ProgressEvent| clock.note(event, None, Utc::now());
        note(&event(Stage::UploadReceived, StepStatus::Completed, 0));
        note(&event(Stage::OcrStarted, StepStatus::Started, 1));
        note(&event(Stage::AnalysisStarted, StepStatus::Failed, 2));

        let again = note(&event(Stage::UploadReceived, StepStatus::Completed, 10));
        let closed = note(&event(Stage::OcrComplete, StepStatus::Completed, 20));

        assert_eq!((again.attempt, closed.attempt), (2, 2));
        assert_eq!(closed.began, None, "the start was the earlier attempt's");
        assert_eq!(closed.attempt_began, again.at);
    }

    #[test]
    fn a_callers_trace_holds_for_its_attempt() {
        let clock = StageClock::default();
        let parent = TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
        let document = Id::parse("d1").unwrap();
        let note = |attempt| {
            let event = ProgressEvent::new(document.clone(), Stage::OcrStarted).with_attempt(attempt);
            clock.note(&event, None, Utc::now())
        };
        assert_eq!(note(1).parent, None);

        clock.join(&document, 2, parent.clone(), Utc::now());

        assert_eq!(note(2).parent, Some(parent.clone()));
        assert_eq!(clock.parent_of(&document, 2), Some(parent.clone()));
        assert_eq!(clock.parent_of(&document, 1), None);
        assert_eq!((note(1).attempt, note(1).parent), (1, None), "it came late");
        assert_eq!(note(3).parent, None);
        clock.join(&document, 2, parent, Utc::now());
        assert_eq!(note(3).parent, None, "a word on an earlier attempt came late");
    }

    #[test]
    fn memory_stays_bounded() {
        let clock = StageClock::default();
        for number in 0..MOST_DOCUMENTS + 10 {
            let document = Id::parse(&format!("d{number}")).unwrap();
            clock.note(&ProgressEvent::new(document, Stage::OcrStarted), None, Utc::now());
        }

        let documents = clock.lock();
        assert_eq!((documents.by_id.len(), documents.order.len()), (MOST_DOCUMENTS, MOST_DOCUMENTS));
    }
}

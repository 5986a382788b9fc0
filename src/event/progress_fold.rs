//! What a channel's log says of each document, and the events viewers are shown for it.
//!
//! Folding is deterministic: the same log gives the same events, whoever reads it and when.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
};

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    eta::{ETA_FIELD, Eta},
    fields::milliseconds_of,
    id::Id,
    position::EventId,
    progress::ProgressEvent,
    published::{Event, EventName},
    seen_ids::SeenIds,
    stage::{Stage, StepStatus},
};

/// What the log says of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentProgress {
    /// Which try, from 1.
    pub attempt: u32,
    /// The furthest stage reached in this attempt.
    pub stage: Stage,
    /// The highest percent reached in this attempt.
    pub percent: u8,
    /// How this attempt ended, if it has.
    pub ended: Option<StepStatus>,
    /// Its last event.
    pub last: EventId,
    /// When each stage was first told in this attempt, by the log's clock in milliseconds.
    pub steps: BTreeMap<Stage, u64>,
    /// When this attempt will be over, as far as anybody has told.
    pub eta: Option<Eta>,
}

/// Folds a log of progress events, oldest first.
#[derive(Clone, Debug, Default)]
pub struct ProgressFold {
    documents: HashMap<Id, DocumentProgress>,
    known: SeenIds,
}

/// A progress event as viewers see it.
#[derive(Serialize)]
struct ShownProgress<'a> {
    document_id: &'a Id,
    stage: Stage,
    step: usize,
    total_steps: usize,
    percent: u8,
    status: StepStatus,
    label: &'a str,
    detail: Option<&'a str>,
    timestamp: Option<&'a str>,
    event_id: &'a str,
    attempt: u32,
    /// By an earlier event, where this one tells none.
    #[serde(skip_serializing_if = "Option::is_none")]
    eta_seconds: Option<[u64; 2]>,
    #[serde(flatten)]
    extra: Cow<'a, Map<String, Value>>,
}

impl ProgressFold {
    /// Takes in the event at `id` and gives what viewers are shown, nothing for a repeat.
    pub fn apply(&mut self, id: EventId, event: &ProgressEvent) -> Option<Event> {
        if let Some(event_id) = &event.event_id
            && !self.known.remember(event_id)
        {
            return None;
        }
        let moved = self.advance(id, event);
        Some(show(id, event, &moved))
    }

    /// Gives what is known of each document.
    pub fn documents(&self) -> impl Iterator<Item = (&Id, &DocumentProgress)> {
        self.documents.iter()
    }

    /// Gives what is known of one document.
    #[must_use]
    pub fn document(&self, document: &str) -> Option<&DocumentProgress> {
        self.documents.get(document)
    }

    /// Forgets documents whose last event lies before `oldest`, the oldest the log still holds.
    pub fn forget_before(&mut self, oldest: EventId) {
        self.documents.retain(|_, document| document.last >= oldest);
    }

    /// Moves the document forward, unless the event is of an attempt that is past.
    fn advance(&mut self, id: EventId, event: &ProgressEvent) -> Moved {
        let known = self.documents.get(&event.document_id);
        let attempt = attempt_of(event, known);
        if known.is_some_and(|known| attempt < known.attempt) {
            return Moved { attempt, percent: own_percent(event).unwrap_or(0), eta: None };
        }
        let document = moved(known.filter(|known| known.attempt == attempt), id, event, attempt);
        let (percent, eta) = (document.percent, document.eta);
        self.documents.insert(event.document_id.clone(), document);
        Moved { attempt, percent, eta }
    }
}

/// What an event did to its document, as far as viewers are shown it.
struct Moved {
    attempt: u32,
    percent: u8,
    eta: Option<Eta>,
}

/// An upload that begins anew after an end is the next attempt, said or not.
fn attempt_of(event: &ProgressEvent, known: Option<&DocumentProgress>) -> u32 {
    let begins_anew =
        |known: &DocumentProgress| known.ended.is_some() && event.stage == Stage::UploadReceived;
    match (event.attempt, known) {
        (Some(attempt), _) => attempt,
        (None, None) => 1,
        (None, Some(known)) if begins_anew(known) => known.attempt + 1,
        (None, Some(known)) => known.attempt,
    }
}

fn moved(
    known: Option<&DocumentProgress>,
    id: EventId,
    event: &ProgressEvent,
    attempt: u32,
) -> DocumentProgress {
    let percent = own_percent(event).unwrap_or(0);
    let end = event.is_terminal().then_some(event.status);
    let mut steps = known.map(|known| known.steps.clone()).unwrap_or_default();
    steps.entry(event.stage).or_insert(id.milliseconds);
    DocumentProgress {
        attempt,
        stage: known.map_or(event.stage, |known| known.stage.max(event.stage)),
        percent: known.map_or(percent, |known| known.percent.max(percent)),
        ended: known.and_then(|known| known.ended).or(end),
        last: id,
        steps,
        eta: eta_after(known, id, event),
    }
}

/// What was told before holds on: who tells of a page need not know how long the others take.
fn eta_after(known: Option<&DocumentProgress>, id: EventId, event: &ProgressEvent) -> Option<Eta> {
    if event.is_terminal() {
        return None;
    }
    let before = known.and_then(|known| known.eta);
    if known.is_some_and(|known| event.stage < known.stage) {
        return before;
    }
    Eta::told(&event.extra, id, before)
}

/// A failure moves nothing forward, unless its producer says how far it was.
fn own_percent(event: &ProgressEvent) -> Option<u8> {
    event.percent.or(match event.status {
        StepStatus::Failed => None,
        StepStatus::Completed => Some(event.stage.percent()),
        StepStatus::Started | StepStatus::InProgress => Some(event.stage.percent_under_way()),
    })
}

fn show(id: EventId, event: &ProgressEvent, moved: &Moved) -> Event {
    let tells_eta = event.extra.contains_key(ETA_FIELD);
    let own_id = event.event_id.as_ref().map_or_else(|| id.to_string(), ToString::to_string);
    let shown = ShownProgress {
        document_id: &event.document_id,
        stage: event.stage,
        step: event.stage.step(),
        total_steps: Stage::ALL.len(),
        percent: moved.percent,
        status: event.status,
        label: event.label.as_deref().unwrap_or_else(|| event.stage.label()),
        detail: event.detail.as_deref(),
        timestamp: event.timestamp.as_deref(),
        event_id: &own_id,
        attempt: moved.attempt,
        eta_seconds: moved.eta.filter(|_| !tells_eta).and_then(|eta| eta.left(id.milliseconds)),
        extra: shown_extra(&event.extra),
    };
    Event {
        id,
        name: EventName::progress(),
        subject: Some(event.document_id.clone()),
        terminal: event.is_terminal(),
        happened_at: milliseconds_of(event.timestamp.as_deref()),
        data: to_line(&shown),
    }
}

/// To viewers what nobody knows is left out.
fn shown_extra(extra: &Map<String, Value>) -> Cow<'_, Map<String, Value>> {
    if extra.get(ETA_FIELD).is_none_or(|told| !told.is_null()) {
        return Cow::Borrowed(extra);
    }
    let mut extra = extra.clone();
    extra.remove(ETA_FIELD);
    Cow::Owned(extra)
}

fn to_line(shown: &ShownProgress<'_>) -> Bytes {
    serde_json::to_vec(shown).expect("strings and numbers always serialize").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event(stage: Stage) -> ProgressEvent {
        ProgressEvent::new(Id::parse("d1").unwrap(), stage)
    }

    fn shown(event: &Event) -> Value {
        serde_json::from_slice(&event.data).unwrap()
    }

    fn at(n: u64) -> EventId {
        EventId::new(n, 0)
    }

    #[test]
    fn percent_and_furthest_stage_never_go_back() {
        let mut fold = ProgressFold::default();

        fold.apply(at(1), &event(Stage::OcrComplete)).unwrap();
        let late = fold.apply(at(2), &event(Stage::OcrStarted)).unwrap();

        assert_eq!(shown(&late)["percent"], 50);
        assert_eq!(fold.document("d1").unwrap().stage, Stage::OcrComplete);
    }

    #[test]
    fn a_repeat_is_dropped() {
        let mut fold = ProgressFold::default();
        let mut event = event(Stage::OcrStarted);
        event.event_id = Some(Id::parse("e1").unwrap());

        assert!(fold.apply(at(1), &event).is_some());
        assert!(fold.apply(at(2), &event).is_none());
    }

    #[test]
    fn an_upload_after_the_end_is_the_next_attempt() {
        let mut fold = ProgressFold::default();
        fold.apply(at(1), &event(Stage::MatchingComplete)).unwrap();

        let again = fold.apply(at(2), &event(Stage::UploadReceived)).unwrap();

        assert_eq!(
            (shown(&again)["attempt"].clone(), shown(&again)["percent"].clone()),
            (2.into(), 10.into())
        );
        assert_eq!(fold.document("d1").unwrap().ended, None);
    }

    #[test]
    fn a_straggler_of_an_older_attempt_changes_nothing() {
        let mut fold = ProgressFold::default();
        fold.apply(at(1), &event(Stage::OcrStarted).with_attempt(2)).unwrap();

        let straggler = fold.apply(at(2), &event(Stage::MatchingComplete).with_attempt(1)).unwrap();

        assert_eq!(shown(&straggler)["attempt"], 1);
        assert_eq!(fold.document("d1").unwrap().ended, None);
    }

    #[test]
    fn an_end_stays_within_its_attempt() {
        let mut fold = ProgressFold::default();
        fold.apply(at(1), &event(Stage::OcrStarted).with_status(StepStatus::Failed)).unwrap();

        fold.apply(at(2), &event(Stage::OcrComplete)).unwrap();

        assert_eq!(fold.document("d1").unwrap().ended, Some(StepStatus::Failed));
    }

    #[test]
    fn a_stage_keeps_the_time_it_was_first_told() {
        let mut fold = ProgressFold::default();

        fold.apply(at(1), &event(Stage::OcrStarted)).unwrap();
        fold.apply(at(2), &event(Stage::OcrStarted).with_status(StepStatus::InProgress)).unwrap();

        assert_eq!(fold.document("d1").unwrap().steps, BTreeMap::from([(Stage::OcrStarted, 1)]));
    }

    fn told(event: ProgressEvent, eta: Value) -> ProgressEvent {
        ProgressEvent { extra: Map::from_iter([(ETA_FIELD.to_owned(), eta)]), ..event }
    }

    #[test]
    fn what_a_producer_tells_of_the_time_left_passes_and_holds_for_events_that_tell_none() {
        let mut fold = ProgressFold::default();
        let mut show = |at, event: &ProgressEvent| shown(&fold.apply(at, event).unwrap())[ETA_FIELD].clone();

        assert_eq!(show(at(0), &event(Stage::UploadReceived)), Value::Null);
        let first = told(event(Stage::OcrStarted), serde_json::json!([20.5, 40]));
        assert_eq!(show(at(1_000), &first), serde_json::json!([20.5, 40]), "as it was told");
        let page = event(Stage::OcrStarted).with_status(StepStatus::InProgress);
        assert_eq!(show(at(11_000), &page), serde_json::json!([10, 30]));
        let newer = told(event(Stage::OcrComplete), serde_json::json!([2, 3]));
        assert_eq!(show(at(12_000), &newer), serde_json::json!([2, 3]));
        let straggler = told(event(Stage::OcrStarted), serde_json::json!([50, 60]));
        assert_eq!(show(at(12_500), &straggler), serde_json::json!([50, 60]));
        assert_eq!(show(at(13_000), &event(Stage::AnalysisStarted)), serde_json::json!([1, 2]));
        assert_eq!(show(at(16_000), &event(Stage::AnalysisComplete)), Value::Null, "it takes longer");
        let newer = told(event(Stage::AnalysisComplete), serde_json::json!([5, 6]));
        assert_eq!(show(at(16_000), &newer), serde_json::json!([5, 6]));
        assert_eq!(show(at(16_100), &told(newer, Value::Null)), Value::Null, "left out");
        let after = event(Stage::AnalysisComplete).with_percent(90);
        assert_eq!(show(at(16_200), &after), Value::Null, "nobody knows any more");
    }

    #[test]
    fn the_time_left_is_of_one_attempt_and_not_of_what_is_over() {
        let mut fold = ProgressFold::default();
        fold.apply(at(1), &told(event(Stage::OcrStarted), serde_json::json!([20, 40]))).unwrap();

        let failed = fold.apply(at(2), &event(Stage::OcrStarted).with_status(StepStatus::Failed)).unwrap();
        assert_eq!(
            (shown(&failed)[ETA_FIELD].clone(), fold.document("d1").unwrap().eta),
            (Value::Null, None)
        );
        fold.apply(at(3), &told(event(Stage::OcrComplete), serde_json::json!([20, 40]))).unwrap();
        let again = fold.apply(at(4), &event(Stage::UploadReceived).with_attempt(2)).unwrap();
        let late = fold.apply(at(5), &event(Stage::AnalysisStarted).with_attempt(1)).unwrap();

        assert_eq!(
            (shown(&again)[ETA_FIELD].clone(), shown(&late)[ETA_FIELD].clone()),
            (Value::Null, Value::Null)
        );
    }

    #[test]
    fn an_event_without_a_name_is_named_by_its_place() {
        let event = ProgressFold::default().apply(at(7), &event(Stage::OcrStarted)).unwrap();

        assert_eq!(shown(&event)["event_id"], "7-0");
    }

    proptest! {
        #[test]
        fn percent_never_falls_in_any_order(steps in proptest::collection::vec((0usize..6, 0usize..4, proptest::option::of(0u8..=100)), 1..40)) {
            let mut fold = ProgressFold::default();
            let mut highest = 0;
            for (n, (stage, status, percent)) in steps.into_iter().enumerate() {
                let mut event = event(Stage::ALL[stage]).with_status(StepStatus::ALL[status]).with_attempt(1);
                event.percent = percent;

                let percent = shown(&fold.apply(at(n as u64), &event).unwrap())["percent"].as_u64().unwrap();

                prop_assert!(percent >= highest);
                highest = percent;
            }
        }

        #[test]
        fn shown_data_is_always_one_line(label in "\\PC*", extra in ".*") {
            let mut event = event(Stage::OcrStarted);
            event.label = Some(label);
            event.extra.insert(extra.clone(), Value::String(extra));

            let shown = ProgressFold::default().apply(at(1), &event).unwrap();

            prop_assert!(!shown.data.contains(&b'\n') && !shown.data.contains(&b'\r'));
        }
    }
}

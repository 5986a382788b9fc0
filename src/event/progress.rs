//! A progress event as producers push it, checked at the border.

use std::ops::RangeInclusive;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    eta,
    fields::{
        EventError, MAX_EVENT_BYTES, check_timestamp, is_readable, take, take_id, take_text, take_timestamp,
        wrong,
    },
    id::Id,
    stage::{Stage, StepStatus},
};

/// Longest `detail` in characters.
pub const MAX_DETAIL_CHARS: usize = 200;
/// Longest `label` in characters.
pub const MAX_LABEL_CHARS: usize = 100;

const PERCENT: &str = "a number from 0 to 100";
const ATTEMPTS: RangeInclusive<u32> = 1..=10_000;
const ATTEMPT: &str = "a whole number from 1 to 10000";

/// Fields of a [`ProgressEvent`] that have a name.
const OWN_FIELDS: [&str; 9] =
    ["document_id", "stage", "status", "percent", "label", "detail", "timestamp", "event_id", "attempt"];
/// Fields a viewer's event gets from the server; a producer's own are dropped.
const SERVER_FIELDS: [&str; 3] = ["patient_id", "step", "total_steps"];

/// Tells of one step of one document.
///
/// Only the document and the stage are required. Fields this type does not know are kept in
/// `extra` and passed through to viewers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ProgressEvent {
    /// The document.
    pub document_id: Id,
    /// The step.
    pub stage: Stage,
    /// How far the step is.
    pub status: StepStatus,
    /// Percent of the whole way, 0–100; by stage when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
    /// Words for the step: one line of plain text without health data; by stage when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// One more line, at most 200 characters, without health data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// When it happened, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// Names the event, so that a retry that lands twice is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<Id>,
    /// Which try of the document this is, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// What else the producer said.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl ProgressEvent {
    /// Tells that `document` is at `stage`, with the stage's own status.
    #[must_use]
    pub fn new(document: Id, stage: Stage) -> Self {
        Self {
            document_id: document,
            stage,
            status: stage.default_status(),
            percent: None,
            label: None,
            detail: None,
            timestamp: None,
            event_id: None,
            attempt: None,
            extra: Map::new(),
        }
    }

    /// Sets how far the step is.
    #[must_use]
    pub const fn with_status(mut self, status: StepStatus) -> Self {
        self.status = status;
        self
    }

    /// Sets the percent of the whole way; above 100 counts as 100.
    #[must_use]
    pub fn with_percent(mut self, percent: u8) -> Self {
        self.percent = Some(percent.min(100));
        self
    }

    /// Sets the second line; control characters become spaces and 200 characters are kept.
    #[must_use]
    pub fn with_detail(mut self, detail: &str) -> Self {
        let line = detail.chars().map(|c| if c.is_control() { ' ' } else { c });
        self.detail = Some(line.take(MAX_DETAIL_CHARS).collect());
        self
    }

    /// Sets which try of the document this is, from 1.
    #[must_use]
    pub const fn with_attempt(mut self, attempt: u32) -> Self {
        self.attempt = Some(attempt);
        self
    }

    /// Parses what a producer pushed.
    ///
    /// # Errors
    /// [`EventError`] names the field and what it may hold.
    pub fn parse(json: &[u8]) -> Result<Self, EventError> {
        if json.len() > MAX_EVENT_BYTES {
            return Err(EventError::TooLarge(json.len()));
        }
        match serde_json::from_slice(json)? {
            Value::Object(fields) => Self::from_fields(fields),
            _ => Err(EventError::NotAnObject),
        }
    }

    /// Takes the known fields out of a JSON object and keeps the rest.
    ///
    /// # Errors
    /// [`EventError`] names the field and what it may hold.
    pub fn from_fields(mut fields: Map<String, Value>) -> Result<Self, EventError> {
        let stage = take_stage(&mut fields)?;
        Ok(Self {
            document_id: take_id(&mut fields, "document_id")?.ok_or(EventError::Missing("document_id"))?,
            stage,
            status: take_status(&mut fields)?.unwrap_or(stage.default_status()),
            percent: take_percent(&mut fields)?,
            label: take_line(&mut fields, "label", MAX_LABEL_CHARS)?,
            detail: take_line(&mut fields, "detail", MAX_DETAIL_CHARS)?,
            timestamp: take_timestamp(&mut fields)?,
            event_id: take_id(&mut fields, "event_id")?,
            attempt: take_attempt(&mut fields)?,
            extra: passed_through(fields),
        })
    }

    /// Gives the event its id and time where the producer gave none, and answers the id.
    pub fn stamp(&mut self, now: DateTime<Utc>) -> Id {
        self.timestamp.get_or_insert_with(|| now.to_rfc3339_opts(SecondsFormat::Millis, true));
        self.event_id.get_or_insert_with(Id::random).clone()
    }

    /// Writes the event as producers push it.
    ///
    /// # Errors
    /// [`EventError`] when a field holds what no viewer's process would take.
    pub fn to_payload(&self) -> Result<Bytes, EventError> {
        self.check()?;
        let json = serde_json::to_vec(self)?;
        if json.len() > MAX_EVENT_BYTES {
            return Err(EventError::TooLarge(json.len()));
        }
        Ok(json.into())
    }

    /// Holds the fields to what they may hold when they are read.
    fn check(&self) -> Result<(), EventError> {
        if self.percent.is_some_and(|percent| percent > 100) {
            return Err(wrong("percent", PERCENT));
        }
        if self.attempt.is_some_and(|attempt| !ATTEMPTS.contains(&attempt)) {
            return Err(wrong("attempt", ATTEMPT));
        }
        check_line("label", self.label.as_deref(), MAX_LABEL_CHARS)?;
        check_line("detail", self.detail.as_deref(), MAX_DETAIL_CHARS)?;
        check_timestamp(self.timestamp.as_deref())?;
        check_extra(&self.extra)
    }

    /// Says whether the event ends its document.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.status == StepStatus::Failed
            || (self.stage == Stage::MatchingComplete && self.status == StepStatus::Completed)
    }
}

fn take_stage(fields: &mut Map<String, Value>) -> Result<Stage, EventError> {
    let text = take_text(fields, "stage")?.ok_or(EventError::Missing("stage"))?;
    text.parse().map_err(|_| wrong("stage", one_of(&Stage::ALL.map(Stage::as_str))))
}

fn take_status(fields: &mut Map<String, Value>) -> Result<Option<StepStatus>, EventError> {
    let Some(text) = take_text(fields, "status")? else { return Ok(None) };
    let allowed = |_| wrong("status", one_of(&StepStatus::ALL.map(StepStatus::as_str)));
    text.parse().map(Some).map_err(allowed)
}

fn one_of(words: &[&str]) -> String {
    format!("one of {}", words.join(", "))
}

fn take_percent(fields: &mut Map<String, Value>) -> Result<Option<u8>, EventError> {
    let Some(value) = take(fields, "percent") else { return Ok(None) };
    match value.as_f64() {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be 0–100")]
        Some(percent) if (0.0..=100.0).contains(&percent) => Ok(Some(percent as u8)),
        _ => Err(wrong("percent", PERCENT)),
    }
}

fn take_attempt(fields: &mut Map<String, Value>) -> Result<Option<u32>, EventError> {
    let Some(value) = take(fields, "attempt") else { return Ok(None) };
    let attempt = value.as_u64().and_then(|attempt| u32::try_from(attempt).ok());
    attempt.filter(|attempt| ATTEMPTS.contains(attempt)).map(Some).ok_or_else(|| wrong("attempt", ATTEMPT))
}

fn take_line(
    fields: &mut Map<String, Value>,
    field: &'static str,
    most: usize,
) -> Result<Option<String>, EventError> {
    let text = take_text(fields, field)?;
    check_line(field, text.as_deref(), most)?;
    Ok(text)
}

fn check_line(field: &'static str, text: Option<&str>, most: usize) -> Result<(), EventError> {
    let is_line = |text: &str| text.chars().count() <= most && !text.chars().any(char::is_control);
    if text.is_none_or(is_line) {
        return Ok(());
    }
    Err(wrong(field, format!("one line of plain text of at most {most} characters")))
}

/// What else is said must not read as a field that has a place of its own.
fn check_extra(extra: &Map<String, Value>) -> Result<(), EventError> {
    if let Some(field) = OWN_FIELDS.into_iter().find(|field| extra.contains_key(*field)) {
        return Err(wrong(field, "set as the field it is, not among others"));
    }
    if !extra.values().all(is_readable) {
        return Err(EventError::TooDeep);
    }
    Ok(())
}

fn passed_through(mut fields: Map<String, Value>) -> Map<String, Value> {
    for field in SERVER_FIELDS {
        fields.remove(field);
    }
    eta::drop_unreadable(&mut fields);
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(value: &Value) -> Result<ProgressEvent, EventError> {
        ProgressEvent::parse(value.to_string().as_bytes())
    }

    #[test]
    fn only_document_and_stage_are_required() {
        let event = parse(&json!({"document_id": "d1", "stage": "ocr_started"})).unwrap();

        assert_eq!(event.status, StepStatus::Started);
        assert_eq!(event, ProgressEvent::new(Id::parse("d1").unwrap(), Stage::OcrStarted));
    }

    #[test]
    fn unknown_fields_pass_and_server_fields_do_not() {
        let event = parse(&json!({
            "document_id": "d1", "stage": "ocr_started", "page": 2, "step": 9, "patient_id": "p1"
        }))
        .unwrap();

        assert_eq!(Value::Object(event.extra), json!({"page": 2}));
    }

    #[test]
    fn each_bad_field_is_named_with_what_is_allowed() {
        let good = json!({"document_id": "d1", "stage": "ocr_started"});
        let bad = [
            ("document_id", json!("a\nb")),
            ("stage", json!("ocr\nstarted")),
            ("stage", json!(4)),
            ("status", json!("done")),
            ("percent", json!(101)),
            ("percent", json!("50")),
            ("label", json!("two\nlines")),
            ("detail", json!("x".repeat(201))),
            ("detail", json!("event: done\r\n\r\n")),
            ("timestamp", json!("yesterday")),
            ("event_id", json!("a\rb")),
            ("attempt", json!(0)),
        ];
        for (field, value) in bad {
            let mut event = good.clone();
            event[field] = value;

            let error = parse(&event).unwrap_err();

            assert!(error.to_string().contains(&format!("`{field}`")), "{field}: {error}");
        }
    }

    #[test]
    fn large_deep_and_broken_json_is_refused() {
        let large = json!({"document_id": "d1", "stage": "ocr_started", "pad": "x".repeat(MAX_EVENT_BYTES)});
        let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));

        assert!(matches!(parse(&large), Err(EventError::TooLarge(_))));
        assert!(matches!(ProgressEvent::parse(deep.as_bytes()), Err(EventError::Json(_))));
        assert!(matches!(ProgressEvent::parse(b"{\"document_id\":\"\xff\"}"), Err(EventError::Json(_))));
        assert!(matches!(ProgressEvent::parse(b"[]"), Err(EventError::NotAnObject)));
    }

    #[test]
    fn what_viewers_would_not_read_is_not_written() {
        let good = ProgressEvent::new(Id::parse("d1").unwrap(), Stage::OcrStarted);
        let with = |field: &str, value: Value| ProgressEvent {
            extra: Map::from_iter([(field.to_owned(), value)]),
            ..good.clone()
        };
        let bad = [
            ("percent", ProgressEvent { percent: Some(101), ..good.clone() }),
            ("attempt", ProgressEvent { attempt: Some(0), ..good.clone() }),
            ("label", ProgressEvent { label: Some("two\nlines".into()), ..good.clone() }),
            ("detail", ProgressEvent { detail: Some("x".repeat(201)), ..good.clone() }),
            ("timestamp", ProgressEvent { timestamp: Some("now".into()), ..good.clone() }),
            ("stage", with("stage", json!("ocr_complete"))),
        ];
        for (field, event) in bad {
            let error = event.to_payload().unwrap_err().to_string();

            assert!(error.contains(&format!("`{field}`")), "{field}: {error}");
        }
        let large = with("pad", json!("x".repeat(MAX_EVENT_BYTES)));
        assert!(matches!(large.to_payload(), Err(EventError::TooLarge(_))));
    }

    #[test]
    fn as_deep_as_is_read_is_written_and_no_deeper() {
        for depth in 120..132 {
            let value = (0..depth).fold(json!(1), |value, _| json!([value]));
            let mut event = ProgressEvent::new(Id::parse("d1").unwrap(), Stage::OcrStarted);
            event.extra.insert("deep".into(), value);

            let is_read = ProgressEvent::parse(&serde_json::to_vec(&event).unwrap()).is_ok();

            assert_eq!(event.to_payload().is_ok(), is_read, "{depth}");
        }
    }

    #[test]
    fn a_stamped_event_survives_its_payload() {
        let mut event = ProgressEvent::new(Id::parse("d1").unwrap(), Stage::OcrComplete)
            .with_percent(200)
            .with_detail("page 1\nof 2")
            .with_attempt(2);

        event.stamp(DateTime::UNIX_EPOCH);

        assert_eq!(event.percent, Some(100));
        assert_eq!(event.detail.as_deref(), Some("page 1 of 2"));
        assert_eq!(ProgressEvent::parse(&event.to_payload().unwrap()).unwrap(), event);
    }
}

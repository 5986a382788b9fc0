//! Reads the fields of a pushed event, and says what is wrong with them.

use chrono::DateTime;
use serde_json::{Map, Value};

use super::id::Id;

/// Largest event in bytes, as JSON.
pub const MAX_EVENT_BYTES: usize = 16 * 1024;

/// Arrays and objects within each other that are read; serde_json refuses more.
const MAX_DEPTH: usize = 127;

/// Tells what is wrong with a pushed event, and what is allowed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// Over [`MAX_EVENT_BYTES`].
    #[error("an event is at most {MAX_EVENT_BYTES} bytes of JSON, this one has {0}")]
    TooLarge(usize),
    /// Not JSON, or nested too deeply.
    #[error("an event is one JSON object")]
    Json(#[from] serde_json::Error),
    /// JSON, but not an object.
    #[error("an event is one JSON object, not another JSON value")]
    NotAnObject,
    /// Arrays and objects lie too deep within each other.
    #[error("an event has at most {MAX_DEPTH} arrays and objects within each other")]
    TooDeep,
    /// A required field is not there.
    #[error("`{0}` is required")]
    Missing(&'static str),
    /// A field holds something else than it may.
    #[error("`{field}` must be {allowed}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What it may hold.
        allowed: String,
    },
}

impl EventError {
    /// Names the kind of fault for logs and metrics, without anything of the event.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "too_large",
            Self::Json(_) | Self::NotAnObject | Self::TooDeep => "not_json",
            Self::Missing(_) | Self::Field { .. } => "invalid",
        }
    }
}

pub(super) fn wrong(field: &'static str, allowed: impl Into<String>) -> EventError {
    EventError::Field { field, allowed: allowed.into() }
}

pub(super) fn take(fields: &mut Map<String, Value>, field: &str) -> Option<Value> {
    fields.remove(field).filter(|value| !value.is_null())
}

pub(super) fn take_text(
    fields: &mut Map<String, Value>,
    field: &'static str,
) -> Result<Option<String>, EventError> {
    match take(fields, field) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(field, "a string")),
    }
}

pub(super) fn take_id(
    fields: &mut Map<String, Value>,
    field: &'static str,
) -> Result<Option<Id>, EventError> {
    let Some(text) = take_text(fields, field)? else { return Ok(None) };
    let allowed = |_| wrong(field, "1–128 characters of A–Z a–z 0–9 _ - .");
    Id::parse(&text).map(Some).map_err(allowed)
}

pub(super) fn take_timestamp(fields: &mut Map<String, Value>) -> Result<Option<String>, EventError> {
    let text = take_text(fields, "timestamp")?;
    check_timestamp(text.as_deref())?;
    Ok(text)
}

pub(super) fn check_timestamp(text: Option<&str>) -> Result<(), EventError> {
    let Some(text) = text else { return Ok(()) };
    match DateTime::parse_from_rfc3339(text) {
        Ok(_) if text.len() <= 64 => Ok(()),
        _ => Err(wrong("timestamp", "a time as in RFC 3339, for example 2026-04-05T12:00:00Z")),
    }
}

/// Gives the milliseconds since the Unix epoch of an event's time.
pub(super) fn milliseconds_of(timestamp: Option<&str>) -> Option<u64> {
    let time = DateTime::parse_from_rfc3339(timestamp?).ok()?;
    time.timestamp_millis().try_into().ok()
}

/// Says whether JSON that holds `value` in an object is read back: [`MAX_DEPTH`] holds for all of it.
pub(super) fn is_readable(value: &Value) -> bool {
    fn is_within(value: &Value, left: usize) -> bool {
        match value {
            Value::Array(values) => left > 0 && values.iter().all(|value| is_within(value, left - 1)),
            Value::Object(fields) => left > 0 && fields.values().all(|value| is_within(value, left - 1)),
            _ => true,
        }
    }
    is_within(value, MAX_DEPTH - 1)
}

//! An event of a chat or of any other kind of work, checked at the border: a type and its data.

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    fields::{EventError, MAX_EVENT_BYTES, is_readable, take_id, take_text, take_timestamp, wrong},
    id::Id,
    published::EventName,
};

/// Types that a stream tells of its own accord.
pub const OWN_TYPES: [&str; 5] = ["connected", "done", "heartbeat", "source", "reconnect"];

/// Tells something of one chat or of one piece of work.
///
/// Viewers are sent its data under its type. Fields this type does not know are dropped.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TypedEvent {
    /// What it tells; none of [`OWN_TYPES`].
    #[serde(rename = "type")]
    pub name: EventName,
    /// Any JSON value; an empty object when absent.
    pub data: Value,
    /// When it happened, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// Names the event, so that a retry that lands twice is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<Id>,
}

impl TypedEvent {
    /// Makes an event of a type that is no stream's own.
    ///
    /// # Errors
    /// [`EventError`] says what a type may be.
    pub fn new(name: &str, data: Value) -> Result<Self, EventError> {
        Ok(Self { name: parse_name(name)?, data, timestamp: None, event_id: None })
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

    /// Takes the known fields out of a JSON object.
    ///
    /// # Errors
    /// [`EventError`] names the field and what it may hold.
    pub fn from_fields(mut fields: Map<String, Value>) -> Result<Self, EventError> {
        let name = take_text(&mut fields, "type")?.ok_or(EventError::Missing("type"))?;
        Ok(Self {
            name: parse_name(&name)?,
            timestamp: take_timestamp(&mut fields)?,
            event_id: take_id(&mut fields, "event_id")?,
            data: fields.remove("data").unwrap_or_else(|| Value::Object(Map::new())),
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
    /// [`EventError`] when it is larger or deeper than an event may be.
    pub fn to_payload(&self) -> Result<Bytes, EventError> {
        if !is_readable(&self.data) {
            return Err(EventError::TooDeep);
        }
        let json = serde_json::to_vec(self)?;
        if json.len() > MAX_EVENT_BYTES {
            return Err(EventError::TooLarge(json.len()));
        }
        Ok(json.into())
    }
}

fn parse_name(text: &str) -> Result<EventName, EventError> {
    let allowed = || {
        let own = OWN_TYPES.join(", ");
        wrong("type", format!("1–64 characters of a–z 0–9 _ - . and none of {own}, which are the server's"))
    };
    match text.parse() {
        Ok(name) if !OWN_TYPES.contains(&text) => Ok(name),
        _ => Err(allowed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(value: &Value) -> Result<TypedEvent, EventError> {
        TypedEvent::parse(value.to_string().as_bytes())
    }

    #[test]
    fn only_the_type_is_required() {
        let event = parse(&json!({ "type": "frame.encoded-1" })).unwrap();

        assert_eq!((event.name.as_str(), event.data), ("frame.encoded-1", json!({})));
        assert!(matches!(parse(&json!({ "data": {} })), Err(EventError::Missing("type"))));
    }

    #[test]
    fn a_type_of_the_server_s_own_or_of_other_characters_is_refused_with_what_is_allowed() {
        for bad in [
            "connected",
            "done",
            "heartbeat",
            "source",
            "reconnect",
            "",
            "Step",
            "a b",
            "a\nb",
            &"x".repeat(65),
        ] {
            let error = parse(&json!({ "type": bad })).unwrap_err().to_string();

            assert!(error.contains("`type`") && error.contains("reconnect"), "{bad:?}: {error}");
        }
    }

    #[test]
    fn what_is_no_object_or_too_large_is_refused() {
        let large = json!({ "type": "step", "data": "x".repeat(MAX_EVENT_BYTES) });

        assert!(matches!(parse(&large), Err(EventError::TooLarge(_))));
        assert!(matches!(parse(&json!(["step"])), Err(EventError::NotAnObject)));
        assert!(matches!(TypedEvent::parse(b"step"), Err(EventError::Json(_))));
        assert!(TypedEvent::new("step", large).unwrap().to_payload().is_err());
        let deep = (0..127).fold(json!(1), |value, _| json!([value]));
        assert!(matches!(TypedEvent::new("step", deep).unwrap().to_payload(), Err(EventError::TooDeep)));
    }

    #[test]
    fn a_stamped_event_survives_its_payload() {
        let mut event = TypedEvent::new("step", json!({ "n": [1, "two"] })).unwrap();

        event.stamp(DateTime::UNIX_EPOCH);

        assert_eq!(TypedEvent::parse(&event.to_payload().unwrap()).unwrap(), event);
    }
}

//! What a channel of any other kind of work has told last.

use std::collections::VecDeque;

use serde::{Serialize, Serializer, ser::SerializeStruct};
use serde_json::value::RawValue;

use super::{
    fields::milliseconds_of, position::EventId, published::Event, seen_ids::SeenIds, typed::TypedEvent,
};

/// Events that a snapshot shows.
pub const NEWEST_EVENTS: usize = 50;

/// Folds a log of typed events, oldest first: drops repeats and keeps the newest.
#[derive(Clone, Debug, Default)]
pub struct TypedFold {
    known: SeenIds,
    newest: VecDeque<LoggedEvent>,
}

/// One event of the past, as a snapshot shows it: `{type, data, timestamp, event_id}`.
#[derive(Clone, Debug)]
pub struct LoggedEvent {
    event: Event,
    timestamp: String,
    event_id: String,
}

impl TypedFold {
    /// Takes in the event at `id` and gives what viewers are shown, nothing for a repeat.
    pub fn apply(&mut self, id: EventId, event: &TypedEvent) -> Option<Event> {
        if let Some(event_id) = &event.event_id
            && !self.known.remember(event_id)
        {
            return None;
        }
        let shown = show(id, event);
        if self.newest.len() == NEWEST_EVENTS {
            self.newest.pop_front();
        }
        self.newest.push_back(LoggedEvent::of(&shown, event));
        Some(shown)
    }

    /// Gives the newest events, oldest first.
    #[must_use]
    pub fn newest(&self) -> Vec<LoggedEvent> {
        self.newest.iter().cloned().collect()
    }
}

impl LoggedEvent {
    fn of(shown: &Event, event: &TypedEvent) -> Self {
        let EventId { milliseconds, .. } = shown.id;
        Self {
            timestamp: event.timestamp.clone().unwrap_or_else(|| crate::clock::to_rfc3339(milliseconds)),
            event_id: event.event_id.as_ref().map_or_else(|| shown.id.to_string(), ToString::to_string),
            event: shown.clone(),
        }
    }
}

impl Serialize for LoggedEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let data: &RawValue = serde_json::from_slice(&self.event.data).map_err(serde::ser::Error::custom)?;
        let mut fields = serializer.serialize_struct("LoggedEvent", 4)?;
        fields.serialize_field("type", &self.event.name)?;
        fields.serialize_field("data", data)?;
        fields.serialize_field("timestamp", &self.timestamp)?;
        fields.serialize_field("event_id", &self.event_id)?;
        fields.end()
    }
}

/// Shows the data of `event` under its type, on one line.
pub(super) fn show(id: EventId, event: &TypedEvent) -> Event {
    let data = serde_json::to_vec(&event.data).expect("a JSON value always serializes");
    Event {
        id,
        name: event.name.clone(),
        subject: None,
        terminal: false,
        happened_at: milliseconds_of(event.timestamp.as_deref()),
        data: data.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(number: u64) -> TypedEvent {
        TypedEvent::new("step", json!({ "n": number })).unwrap()
    }

    #[test]
    fn the_newest_fifty_are_kept_in_order() {
        let mut fold = TypedFold::default();

        for number in 1..=60 {
            fold.apply(EventId::new(number, 0), &event(number)).unwrap();
        }

        let newest = serde_json::to_value(fold.newest()).unwrap();
        assert_eq!((newest.as_array().unwrap().len(), &newest[0]["data"]["n"]), (50, &json!(11)));
        assert_eq!(newest[49]["event_id"], "60-0");
        assert_eq!(newest[49]["timestamp"], "1970-01-01T00:00:00.060Z");
    }

    #[test]
    fn a_repeat_is_dropped() {
        let mut fold = TypedFold::default();
        let mut event = event(1);
        event.event_id = Some("e1".parse().unwrap());

        assert!(fold.apply(EventId::new(1, 0), &event).is_some());
        assert!(fold.apply(EventId::new(2, 0), &event).is_none());
        assert_eq!(fold.newest().len(), 1);
    }

    #[test]
    fn data_is_one_line_however_it_was_written() {
        let event = TypedEvent::parse(b"{\"type\":\"step\",\"data\":{\n\"words\":\r\n\"a\\nb\"}}").unwrap();

        let shown = TypedFold::default().apply(EventId::new(1, 0), &event).unwrap();

        assert_eq!(shown.data, "{\"words\":\"a\\nb\"}");
    }
}

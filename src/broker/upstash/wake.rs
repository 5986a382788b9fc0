//! What is published on the wake-up channel, so that processes need not ask.
//!
//! A producer that pushed to a channel's list publishes the channel's name. Who appends to the log
//! itself publishes the entries, and behind which entry they came. `probe …` is what a listener
//! sends to itself. The wake-up channel keeps nothing: what is missed there is read later.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::super::Entry;
use crate::{
    event::{Channel, EventId},
    upstash::Command,
};

/// The pub/sub channel of a whole deployment.
pub(super) const WAKE_CHANNEL: &str = "tidings:wake";
/// Most bytes of events that are carried along; beyond that their log is read.
const CARRIED_BYTES: usize = 64 * 1024;
const PROBE: &str = "probe ";

/// One message of the wake-up channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wake {
    /// A producer has pushed to the list of this channel.
    Pushed(Channel),
    /// A log has grown.
    Appended(Appended),
    /// A listener asks itself whether it still hears.
    Probe(String),
}

/// How a log has grown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Appended {
    pub(super) channel: Channel,
    /// Its newest entry.
    pub(super) newest: EventId,
    /// What came right behind which entry, in order; none where the log has to be read.
    pub(super) behind: Option<(EventId, Vec<Entry>)>,
}

/// An id, and the event as it was written.
type Line = (String, Box<RawValue>);

/// The JSON form of [`Appended`].
#[derive(Serialize, Deserialize)]
struct Message {
    log: String,
    newest: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    entries: Vec<Line>,
}

/// Makes the command that wakes every listening process with `message`.
pub(super) fn publish(message: String) -> Command {
    Command::new("PUBLISH").arg(WAKE_CHANNEL).arg(message)
}

/// Writes the message by which a listener knows that it hears.
pub(super) fn probe(nonce: &str) -> String {
    format!("{PROBE}{nonce}")
}

impl Appended {
    /// Says only that the log has grown, up to `newest`.
    pub(super) const fn unseen(channel: Channel, newest: EventId) -> Self {
        Self { channel, newest, behind: None }
    }

    /// Writes the message, on one line; without its events, where they are too large or no JSON.
    pub(super) fn to_message(&self) -> String {
        let (before, entries) = self.carried().unzip();
        let message = Message {
            log: self.channel.to_string(),
            newest: self.newest.to_string(),
            before,
            entries: entries.unwrap_or_default(),
        };
        serde_json::to_string(&message).expect("texts are JSON")
    }

    fn carried(&self) -> Option<(String, Vec<Line>)> {
        let (before, entries) = self.behind.as_ref()?;
        let bytes: usize = entries.iter().map(|entry| entry.payload.len()).sum();
        if bytes > CARRIED_BYTES {
            return None;
        }
        Some((before.to_string(), entries.iter().map(raw).collect::<Option<_>>()?))
    }
}

fn raw(entry: &Entry) -> Option<Line> {
    let text = std::str::from_utf8(&entry.payload).ok().filter(|text| !text.contains(['\n', '\r']))?;
    Some((entry.id.to_string(), RawValue::from_string(text.to_owned()).ok()?))
}

impl Wake {
    /// Reads a message; nothing for one that is none of ours.
    pub(super) fn parse(message: &str) -> Option<Self> {
        if let Some(nonce) = message.strip_prefix(PROBE) {
            return Some(Self::Probe(nonce.to_owned()));
        }
        if message.starts_with('{') {
            return Some(Self::Appended(appended(serde_json::from_str(message).ok()?)?));
        }
        // Some clients write every text as JSON.
        message.trim_matches('"').parse().ok().map(Self::Pushed)
    }

    /// Gives the channel it is about.
    pub(super) const fn channel(&self) -> Option<&Channel> {
        match self {
            Self::Pushed(channel) | Self::Appended(Appended { channel, .. }) => Some(channel),
            Self::Probe(_) => None,
        }
    }
}

fn appended(message: Message) -> Option<Appended> {
    let entry = |(id, payload): Line| {
        let payload: String = Box::<str>::from(payload).into();
        Some(Entry { id: id.parse().ok()?, payload: payload.into() })
    };
    let entries: Vec<_> = message.entries.into_iter().map(entry).collect::<Option<_>>()?;
    let before = message.before.map(|id| id.parse()).transpose().ok()?;
    Some(Appended {
        channel: message.log.parse().ok()?,
        newest: message.newest.parse().ok()?,
        behind: before.filter(|_| !entries.is_empty()).map(|before| (before, entries)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel() -> Channel {
        "doc_progress:p1".parse().unwrap()
    }

    fn grown(payload: &str) -> Appended {
        let entry = |n| Entry { id: EventId::new(5, n), payload: payload.to_owned().into() };
        let behind = Some((EventId::new(4, 2), vec![entry(0), entry(1)]));
        Appended { channel: channel(), newest: EventId::new(5, 1), behind }
    }

    #[test]
    fn what_is_written_is_read_to_the_letter() {
        let grown = grown(r#"{"b": 1.50,"a":"x, y"}"#);

        assert_eq!(Wake::parse(&grown.to_message()), Some(Wake::Appended(grown)));
        assert_eq!(Wake::parse(&probe("n1")), Some(Wake::Probe("n1".into())));
    }

    #[test]
    fn the_name_of_a_channel_means_its_list() {
        assert_eq!(Wake::parse("doc_progress:p1"), Some(Wake::Pushed(channel())));
        assert_eq!(Wake::parse("\"doc_progress:p1\""), Some(Wake::Pushed(channel())));
    }

    #[test]
    fn what_cannot_be_carried_is_left_to_the_log() {
        let left = Some(Wake::Appended(Appended::unseen(channel(), EventId::new(5, 1))));

        assert_eq!(Wake::parse(&grown("not json").to_message()), left);
        assert_eq!(Wake::parse(&grown("{\n}").to_message()), left);
        assert_eq!(Wake::parse(&grown(&format!("\"{}\"", "x".repeat(40_000))).to_message()), left);
        assert_eq!(Wake::parse(&Appended { behind: None, ..grown("{}") }.to_message()), left);
    }

    #[test]
    fn strangers_messages_are_none() {
        for message in ["", "hello", "{}", "{\"log\":1}", "{\"log\":\"doc_progress:\"}", "doc_progress:a b"] {
            assert_eq!(Wake::parse(message), None, "{message}");
        }
        let broken = r#"{"log":"doc_progress:p1","newest":"5-1","before":"4-2","entries":[["x",{}]]}"#;
        assert_eq!(Wake::parse(broken), None);
    }
}

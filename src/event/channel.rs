//! Names of what can be followed.

use std::{fmt, str::FromStr, sync::Arc};

use super::id::{Id, IdError};

/// Longest name of a kind of channel in characters.
const MAX_KIND_CHARS: usize = 32;

/// Names one ordered feed of events: `<kind>:<id>`, which is also the producers' Redis key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Channel {
    kind: ChannelKind,
    id: Id,
}

/// Says what a channel carries.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ChannelKind {
    /// Progress of one patient's documents: `doc_progress:{patient_id}`.
    Documents,
    /// Messages of one case: `chat:{case_id}`.
    Chat,
    /// Any other work, named by its operator: `a–z 0–9 _`, at most 32 characters.
    Other(Arc<str>),
}

/// Tells why a text is not a [`Channel`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// No colon between kind and id.
    #[error("a channel is <kind>:<id>, for example doc_progress:p1")]
    Form,
    /// The part before the colon is not a name.
    #[error("the kind of a channel is 1–32 characters of a–z 0–9 _")]
    Kind,
    /// The part behind the colon is not an id.
    #[error(transparent)]
    Id(#[from] IdError),
}

impl Channel {
    /// Names the channel of a patient's documents.
    #[must_use]
    pub const fn documents(patient: Id) -> Self {
        Self { kind: ChannelKind::Documents, id: patient }
    }

    /// Names the channel of a case's chat.
    #[must_use]
    pub const fn chat(case: Id) -> Self {
        Self { kind: ChannelKind::Chat, id: case }
    }

    /// Names the channel of any kind.
    #[must_use]
    pub const fn new(kind: ChannelKind, id: Id) -> Self {
        Self { kind, id }
    }

    /// Gives what the channel carries.
    #[must_use]
    pub const fn kind(&self) -> &ChannelKind {
        &self.kind
    }

    /// Gives the patient, case or other subject it belongs to.
    #[must_use]
    pub const fn id(&self) -> &Id {
        &self.id
    }
}

impl ChannelKind {
    /// Gives the name that stands before the colon.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Documents => "doc_progress",
            Self::Chat => "chat",
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.as_str(), self.id)
    }
}

impl FromStr for ChannelKind {
    type Err = ChannelError;

    fn from_str(text: &str) -> Result<Self, ChannelError> {
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        match text {
            "doc_progress" => Ok(Self::Documents),
            "chat" => Ok(Self::Chat),
            _ if text.is_empty() || text.len() > MAX_KIND_CHARS || !text.bytes().all(is_name) => {
                Err(ChannelError::Kind)
            }
            _ => Ok(Self::Other(text.into())),
        }
    }
}

impl FromStr for Channel {
    type Err = ChannelError;

    fn from_str(text: &str) -> Result<Self, ChannelError> {
        let (kind, id) = text.split_once(':').ok_or(ChannelError::Form)?;
        Ok(Self { kind: kind.parse()?, id: Id::parse(id)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_round_trip() {
        for text in ["doc_progress:p1", "chat:c-9", "transcode:job.7"] {
            assert_eq!(text.parse::<Channel>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn bad_channels_say_which_part_is_wrong() {
        assert_eq!("p1".parse::<Channel>(), Err(ChannelError::Form));
        assert_eq!("Doc:p1".parse::<Channel>(), Err(ChannelError::Kind));
        assert!(matches!("chat:a b".parse::<Channel>(), Err(ChannelError::Id(_))));
    }
}

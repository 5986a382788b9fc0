//! Names of patients, cases, documents and events.

use std::{borrow::Borrow, fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::chat::ANSWER_ID_PREFIX;

/// Longest id in characters.
pub const MAX_ID_CHARS: usize = 128;

/// Names one patient, case, document or event: 1–128 of `A–Z a–z 0–9 _ - .`.
///
/// Cheap to clone. The alphabet keeps ids free of line breaks, so they may stand in keys,
/// URLs and frames as they are.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, description = "1–128 of `A–Z a–z 0–9 _ - .`", min_length = 1, max_length = 128, pattern = r"^[A-Za-z0-9_.-]+$")]
pub struct Id(Arc<str>);

/// Tells why a text is not an [`Id`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an id is 1–128 characters of A–Z a–z 0–9 _ - . and this one {0}")]
pub struct IdError(&'static str);

impl Id {
    /// Parses an id.
    ///
    /// # Errors
    /// [`IdError`] says whether it is empty, too long or holds another character.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if text.is_empty() {
            return Err(IdError("is empty"));
        }
        if text.len() > MAX_ID_CHARS {
            return Err(IdError("is longer"));
        }
        // Browsers fold these two out of paths, so nobody could ever ask for them.
        if text == "." || text == ".." {
            return Err(IdError("is . or .."));
        }
        if !text.bytes().all(is_id_byte) {
            return Err(IdError("holds another character"));
        }
        Ok(Self(text.into()))
    }

    /// Makes a new random id (UUID version 4).
    #[must_use]
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().to_string().into())
    }

    /// Makes a new random id for the message that an answer becomes.
    #[cfg_attr(not(internals), doc(hidden))]
    #[must_use]
    pub fn random_answer() -> Self {
        Self(format!("{ANSWER_ID_PREFIX}{}", uuid::Uuid::new_v4()).into())
    }

    /// Makes the id that always goes with these parts: `prefix` and 128 bits of their hash.
    pub(crate) fn derived(prefix: &str, parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part);
            // No id holds it: other parts never make the same text.
            hash.update([0]);
        }
        let digits = hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect::<String>();
        Self(format!("{prefix}{digits}").into())
    }

    /// Gives the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_id_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Borrow<str> for Id {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Id {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::parse(text)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_alphabet_is_an_id() {
        for good in ["a", "p-1_2.3", &"x".repeat(128), "..."] {
            assert!(Id::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a\nb", "a:b", "ä", "a/b", ".", "..", &"x".repeat(129)] {
            assert!(Id::parse(bad).is_err(), "{bad:?}");
        }
    }
}

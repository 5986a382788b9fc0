//! How events cross processes.

use super::variables::{ConfigError, Variables, wrong};

/// Which broker is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokerConfig {
    /// `REALTIME_TRANSPORT=memory`: events stay in this process.
    Memory,
}

impl BrokerConfig {
    pub(super) fn read(variables: &Variables) -> Result<Self, ConfigError> {
        match variables.text("REALTIME_TRANSPORT") {
            None => Self::without_choice(variables),
            Some("memory") => Ok(Self::Memory),
            Some(other) => Err(wrong("REALTIME_TRANSPORT", other, "memory")),
        }
    }

    /// A Redis that is set up but not used would lose events in silence.
    fn without_choice(variables: &Variables) -> Result<Self, ConfigError> {
        for name in ["UPSTASH_REDIS_REST_URL", "KV_REST_API_URL"] {
            if let Some(url) = variables.text(name) {
                let allowed =
                    "left out, or REALTIME_TRANSPORT=memory set: this version carries events in memory only";
                return Err(wrong(name, url, allowed));
            }
        }
        Ok(Self::Memory)
    }

    /// Gives the name for logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
        }
    }
}

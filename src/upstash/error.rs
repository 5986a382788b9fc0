//! Why a command was not done, told apart by what to do about it.

use std::time::Duration;

use reqwest::StatusCode;

/// Longest part of a server's words that is kept, in characters.
const WORDS: usize = 200;
/// Pause after a spent quota: it comes back with the day, the month or the operator's card.
const QUOTA_PAUSE: Duration = Duration::from_secs(5 * 60);
/// Pause after too many requests or connections at once.
const THROTTLE_PAUSE: Duration = Duration::from_secs(1);

/// Tells why a command was not done. Holds no token, no URL and no arguments.
#[derive(Debug, thiserror::Error)]
pub enum RedisError {
    /// The token is missing, wrong, or may not do this.
    #[error("Redis does not accept the token, or it may not do this")]
    Auth,
    /// The plan's requests, bandwidth or space are spent.
    #[error("the quota of the Redis plan is spent")]
    Quota,
    /// Too many requests or connections at once.
    #[error("Redis asks for fewer requests at once")]
    Throttled,
    /// A request, record or key is larger than the plan allows.
    #[error("the request is larger than Redis allows")]
    TooLarge,
    /// The command is wrong; the same one will be refused again.
    #[error("Redis refused: {0}")]
    Refused(String),
    /// The script is not in the cache: send its text.
    #[error("Redis does not know the script")]
    NoScript,
    /// It answers, but cannot serve now.
    #[error("Redis cannot serve now: {0}")]
    Unavailable(String),
    /// No answer came through.
    #[error("Redis cannot be reached")]
    Transport(#[source] reqwest::Error),
    /// No answer in time, or silence on a subscription.
    #[error("Redis did not answer in time")]
    Timeout,
    /// The answer is not one of Redis.
    #[error("the answer is not one of Redis: {0}")]
    Garbled(&'static str),
}

impl RedisError {
    /// Says whether the same command may succeed later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        !matches!(self, Self::Auth | Self::TooLarge | Self::Refused(_) | Self::NoScript)
    }

    /// Says whether the command may have been carried out all the same, so that a repeat does it twice.
    #[must_use]
    pub fn may_have_run(&self) -> bool {
        match self {
            Self::Transport(error) => !error.is_connect() && !error.is_builder(),
            Self::Timeout | Self::Garbled(_) | Self::Unavailable(_) => true,
            _ => false,
        }
    }

    /// Gives the label for metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Quota => "quota",
            Self::Throttled => "throttled",
            Self::TooLarge => "too_large",
            Self::Refused(_) => "refused",
            Self::NoScript => "no_script",
            Self::Unavailable(_) => "unavailable",
            Self::Transport(_) => "transport",
            Self::Timeout => "timeout",
            Self::Garbled(_) => "garbled",
        }
    }

    /// Gives the least pause before the next command, where the usual one is too short.
    #[must_use]
    pub const fn back_off(&self) -> Option<Duration> {
        match self {
            Self::Quota => Some(QUOTA_PAUSE),
            Self::Throttled => Some(THROTTLE_PAUSE),
            _ => None,
        }
    }

    /// Says whether Upstash counts the command although it failed.
    pub(super) fn is_billed(&self) -> bool {
        self.may_have_run() || matches!(self, Self::Refused(_) | Self::NoScript)
    }

    /// Reads the words of an error; the code comes first, limits are told in the rest.
    pub(super) fn of_words(words: &str) -> Self {
        let lower = words.to_ascii_lowercase();
        let says = |part: &str| lower.contains(part);
        match words.split_whitespace().next().unwrap_or_default() {
            "NOSCRIPT" => Self::NoScript,
            "WRONGPASS" | "NOAUTH" | "NOPERM" => Self::Auth,
            "LOADING" | "BUSY" | "TRYAGAIN" | "CLUSTERDOWN" | "MASTERDOWN" | "READONLY" | "OOM" => {
                Self::Unavailable(shown(words))
            }
            _ if says("size exceeded") => Self::TooLarge,
            _ if says("connections exceeded") => Self::Throttled,
            _ if says("limit exceeded") || says("quota exceeded") => Self::Quota,
            _ => Self::Refused(shown(words)),
        }
    }

    /// Reads an answer that is not a success: its words, and if they say nothing, its status.
    pub(super) fn of_status(status: StatusCode, words: Option<&str>) -> Self {
        let by_words = Self::of_words(words.unwrap_or_default());
        if !matches!(by_words, Self::Refused(_)) {
            return by_words;
        }
        match status.as_u16() {
            401 | 403 => Self::Auth,
            413 => Self::TooLarge,
            429 => Self::Throttled,
            408 | 500.. => Self::Unavailable(format!("HTTP {}", status.as_u16())),
            _ if words.is_none() => Self::Refused(format!("HTTP {}", status.as_u16())),
            _ => by_words,
        }
    }
}

impl From<reqwest::Error> for RedisError {
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() { Self::Timeout } else { Self::Transport(error.without_url()) }
    }
}

/// Shortens words for logs to one line, without the arguments that Redis repeats.
fn shown(words: &str) -> String {
    let before = words.split(", with args").next().unwrap_or_default();
    before.chars().filter(|char| !char.is_control()).take(WORDS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_tell_what_to_do() {
        let table = [
            ("ERR max requests limit exceeded. Limit: 500000, Usage: 500001.", "quota"),
            ("ERR max daily request limit exceeded", "quota"),
            ("ERR DB capacity quota exceeded", "quota"),
            ("ERR max request size exceeded. Limit: 10485760 bytes", "too_large"),
            ("ERR max single record size exceeded", "too_large"),
            ("ERR max key size exceeded. Limit: 32768 bytes", "too_large"),
            ("ERR max concurrent connections exceeded", "throttled"),
            ("WRONGPASS invalid or missing auth token", "auth"),
            ("NOPERM this user has no permissions to run the 'set' command", "auth"),
            ("NOSCRIPT No matching script. Please use EVAL.", "no_script"),
            ("LOADING Redis is loading the dataset in memory", "unavailable"),
            ("ERR syntax error", "refused"),
            ("WRONGTYPE Operation against a key holding the wrong kind of value", "refused"),
            ("", "refused"),
        ];
        for (words, kind) in table {
            assert_eq!(RedisError::of_words(words).kind(), kind, "{words}");
        }
    }

    #[test]
    fn the_status_counts_where_words_say_nothing() {
        let kind =
            |status: u16, words| RedisError::of_status(StatusCode::from_u16(status).unwrap(), words).kind();

        assert_eq!(kind(401, Some("Unauthorized")), "auth");
        assert_eq!(kind(413, None), "too_large");
        assert_eq!(kind(429, None), "throttled");
        assert_eq!(kind(429, Some("ERR max requests limit exceeded")), "quota");
        assert_eq!(kind(500, None), "unavailable");
        assert_eq!(kind(302, None), "refused");
        assert_eq!(kind(400, Some("ERR syntax error")), "refused");
    }

    #[test]
    fn a_spent_quota_is_left_alone_for_minutes() {
        assert!(RedisError::Quota.back_off().unwrap() >= Duration::from_secs(60));
        assert!(RedisError::Quota.is_transient());
        assert_eq!(RedisError::Timeout.back_off(), None);
    }

    #[test]
    fn only_what_may_have_run_needs_care_before_a_repeat() {
        assert!(RedisError::Timeout.may_have_run());
        assert!(!RedisError::Quota.may_have_run());
        assert!(!RedisError::NoScript.may_have_run());
    }

    #[test]
    fn words_are_shown_on_one_short_line_without_arguments() {
        let echo = "ERR unknown command 'FOO', with args beginning with: 'diagnosis'";
        let long = format!("ERR {}\n{}", "a".repeat(300), "b");

        assert_eq!(shown(echo), "ERR unknown command 'FOO'");
        assert_eq!(shown(&long).len(), WORDS);
        assert!(!shown("ERR a\nb").contains('\n'));
    }
}

//! Why a message was not taken, told apart by what to do about it.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;

/// Longest part of a server's words that is kept, in characters.
const WORDS: usize = 200;
/// Pause after too many requests, where the answer names none.
const THROTTLE_PAUSE: Duration = Duration::from_secs(1);

/// Tells why a message was not taken. Holds no token, no URL and nothing of the message.
#[derive(Debug, thiserror::Error)]
pub enum QStashError {
    /// The token is missing or wrong.
    #[error("QStash does not accept the token")]
    Auth,
    /// The day's or month's messages are spent.
    #[error("the quota of the QStash plan is spent")]
    Quota,
    /// Too many requests at once.
    #[error("QStash asks for fewer requests at once")]
    Throttled(Option<Duration>),
    /// The message is larger than the plan allows.
    #[error("the message is larger than QStash allows")]
    TooLarge,
    /// The message is wrong; the same one will be refused again.
    #[error("QStash refused: {0}")]
    Refused(String),
    /// It answers, but cannot serve now.
    #[error("QStash cannot serve now: HTTP {0}")]
    Unavailable(u16),
    /// No answer came through.
    #[error("QStash cannot be reached")]
    Transport(#[source] reqwest::Error),
    /// No answer in time.
    #[error("QStash did not answer in time")]
    Timeout,
    /// The answer is not one of QStash.
    #[error("the answer is not one of QStash: {0}")]
    Garbled(&'static str),
}

impl QStashError {
    /// Says whether the same message may be taken soon. A spent quota comes back with the day: too late.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        !matches!(self, Self::Auth | Self::Quota | Self::TooLarge | Self::Refused(_))
    }

    /// Gives the label for metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Quota => "quota",
            Self::Throttled(_) => "throttled",
            Self::TooLarge => "too_large",
            Self::Refused(_) => "refused",
            Self::Unavailable(_) => "unavailable",
            Self::Transport(_) => "transport",
            Self::Timeout => "timeout",
            Self::Garbled(_) => "garbled",
        }
    }

    /// Gives the least pause before the next try, where the usual one is too short.
    #[must_use]
    pub const fn back_off(&self) -> Option<Duration> {
        match self {
            Self::Throttled(Some(wait)) => Some(*wait),
            Self::Throttled(None) => Some(THROTTLE_PAUSE),
            _ => None,
        }
    }

    /// Reads an answer that is not a success.
    pub(super) fn of_answer(status: StatusCode, wait: Option<Duration>, body: &[u8]) -> Self {
        let words = words(body);
        let lower = words.to_ascii_lowercase();
        match status.as_u16() {
            401 | 403 => Self::Auth,
            413 => Self::TooLarge,
            429 if lower.contains("daily") || lower.contains("monthly") || lower.contains("quota") => {
                Self::Quota
            }
            429 => Self::Throttled(wait),
            status @ (408 | 500..) => Self::Unavailable(status),
            _ if lower.contains("message size") || lower.contains("body size") => Self::TooLarge,
            status if words.is_empty() => Self::Refused(format!("HTTP {status}")),
            _ => Self::Refused(words),
        }
    }
}

impl From<reqwest::Error> for QStashError {
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() { Self::Timeout } else { Self::Transport(error.without_url()) }
    }
}

/// Shortens the words of an answer for logs to one line, without what may be the destination.
fn words(body: &[u8]) -> String {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let words = answer["error"].as_str().unwrap_or_default();
    let shown = words.split("http").next().unwrap_or_default().trim_end();
    shown.chars().filter(|char| !char.is_control()).take(WORDS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_tell_what_to_do() {
        let table = [
            (401, "unauthorized: unable to authenticate", "auth", false),
            (429, "Exceeded daily rate limit. 1000", "quota", false),
            (429, "Exceeded burst rate limit. 100", "throttled", true),
            (413, "", "too_large", false),
            (400, "maximum allowed message size exceeded", "too_large", false),
            (400, "invalid destination url: endpoint has invalid scheme", "refused", false),
            (412, "", "refused", false),
            (500, "oh no", "unavailable", true),
            (503, "", "unavailable", true),
            (302, "", "refused", false),
        ];
        for (status, words, kind, is_transient) in table {
            let body = serde_json::json!({ "error": words }).to_string();
            let error = QStashError::of_answer(StatusCode::from_u16(status).unwrap(), None, body.as_bytes());

            assert_eq!((error.kind(), error.is_transient()), (kind, is_transient), "{status} {words}");
        }
    }

    #[test]
    fn words_are_shown_on_one_short_line_without_the_destination() {
        let error = QStashError::of_answer(
            StatusCode::BAD_REQUEST,
            None,
            br#"{"error":"invalid\n url https://x.example/ocr?token=t"}"#,
        );

        assert_eq!(error.to_string(), "QStash refused: invalid url");
    }

    #[test]
    fn the_pause_that_was_asked_for_is_kept() {
        let wait = Duration::from_secs(7);
        let error = QStashError::of_answer(StatusCode::TOO_MANY_REQUESTS, Some(wait), b"");

        assert_eq!(error.back_off(), Some(wait));
        assert_eq!(QStashError::Timeout.back_off(), None);
    }
}

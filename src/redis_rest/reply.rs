//! Writes what Redis replied as JSON.

use axum::http::HeaderMap;
use base64::{Engine, engine::general_purpose::STANDARD};
use redis::Value;
use serde_json::Value as Json;

use super::refusal::words;

/// How strings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// As text; what is not UTF-8 is lost.
    Plain,
    /// All of them in Base64, but for the status `OK`.
    Base64,
}

impl Encoding {
    /// Reads what the client asks for in `Upstash-Encoding`.
    pub(super) fn asked_in(headers: &HeaderMap) -> Self {
        let is_base64 = headers.get("upstash-encoding").is_some_and(|value| value == "base64");
        if is_base64 { Self::Base64 } else { Self::Plain }
    }

    /// Writes a reply; an error within it becomes the error of the whole.
    pub(super) fn write(self, reply: Value) -> Result<Json, String> {
        match reply {
            Value::Okay => Ok("OK".into()),
            reply => self.write_nested(reply),
        }
    }

    fn write_nested(self, reply: Value) -> Result<Json, String> {
        match reply {
            Value::Nil => Ok(Json::Null),
            Value::Int(number) => Ok(number.into()),
            Value::BulkString(bytes) => Ok(self.string(&bytes)),
            Value::SimpleString(text) => Ok(self.string(text.as_bytes())),
            // Within an array the official client decodes every string.
            Value::Okay => Ok(self.string(b"OK")),
            Value::Array(items) => items.into_iter().map(|item| self.write_nested(item)).collect(),
            Value::ServerError(error) => Err(words(&error)),
            other => Err(format!("ERR RESP2 has no reply like {other:?}")),
        }
    }

    fn string(self, bytes: &[u8]) -> Json {
        match self {
            Self::Plain => String::from_utf8_lossy(bytes).into(),
            Self::Base64 => STANDARD.encode(bytes).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    #[test]
    fn every_kind_of_reply_has_its_form() {
        let reply = Value::Array(vec![
            Value::Nil,
            Value::Int(-7),
            bulk("text"),
            Value::SimpleString("PONG".into()),
            Value::Array(vec![Value::Array(vec![])]),
        ]);

        assert_eq!(Encoding::Plain.write(reply).unwrap(), json!([null, -7, "text", "PONG", [[]]]));
    }

    #[test]
    fn only_the_status_ok_of_the_whole_stays_as_it_is() {
        let nested = Value::Array(vec![Value::Okay, bulk("OK"), Value::Int(1)]);

        assert_eq!(Encoding::Base64.write(Value::Okay).unwrap(), json!("OK"));
        assert_eq!(Encoding::Base64.write(bulk("OK")).unwrap(), json!("T0s="));
        assert_eq!(Encoding::Base64.write(nested).unwrap(), json!(["T0s=", "T0s=", 1]));
    }

    #[test]
    fn bytes_that_are_not_utf8_are_replaced_in_plain_text_only() {
        let reply = || Value::BulkString(vec![b'a', 0xff]);

        assert_eq!(Encoding::Plain.write(reply()).unwrap(), json!("a\u{fffd}"));
        assert_eq!(Encoding::Base64.write(reply()).unwrap(), json!("Yf8="));
    }
}

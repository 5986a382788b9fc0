//! What Redis answers, read from `{"result": …}` or `{"error": …}`.

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::StatusCode;
use serde_json::Value;

use super::error::RedisError;

/// The answer to one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nothing there.
    Nil,
    /// A whole number.
    Integer(i64),
    /// A text; also a number that is not whole or beyond an `i64`.
    Text(String),
    /// A list, which may hold lists.
    Array(Vec<Reply>),
}

impl Reply {
    /// Says whether there is nothing: nil and an empty list mean the same.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        match self {
            Self::Nil => true,
            Self::Array(items) => items.is_empty(),
            Self::Integer(_) | Self::Text(_) => false,
        }
    }

    /// Gives a whole number, also one written as a text.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
            Self::Nil | Self::Array(_) => None,
        }
    }

    /// Gives a text.
    #[must_use]
    pub const fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// Takes the text.
    ///
    /// # Errors
    /// [`RedisError::Garbled`] for every other reply.
    pub fn into_text(self) -> Result<String, RedisError> {
        match self {
            Self::Text(text) => Ok(text),
            _ => Err(RedisError::Garbled("a text was expected")),
        }
    }

    /// Takes the items of a list; nil is an empty list.
    ///
    /// # Errors
    /// [`RedisError::Garbled`] for a number or a text.
    pub fn into_array(self) -> Result<Vec<Self>, RedisError> {
        match self {
            Self::Array(items) => Ok(items),
            Self::Nil => Ok(Vec::new()),
            Self::Integer(_) | Self::Text(_) => Err(RedisError::Garbled("a list was expected")),
        }
    }

    fn of(value: Value, encoding: Encoding) -> Result<Self, RedisError> {
        Ok(match value {
            Value::Null => Self::Nil,
            Value::Number(number) => {
                number.as_i64().map_or_else(|| Self::Text(number.to_string()), Self::Integer)
            }
            Value::String(text) => Self::Text(encoding.decode(text)),
            Value::Array(items) => {
                let items = items.into_iter().map(|item| Self::of(item, encoding));
                Self::Array(items.collect::<Result<_, _>>()?)
            }
            Value::Bool(_) | Value::Object(_) => return Err(RedisError::Garbled("another type")),
        })
    }
}

/// How texts are written in answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Plain,
    Base64,
}

impl Encoding {
    /// Gives the text meant; servers leave some words as they are, such as `OK`.
    fn decode(self, text: String) -> String {
        if self == Self::Plain || text == "OK" {
            return text;
        }
        match STANDARD.decode(&text) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(_) => text,
        }
    }
}

/// Reads an answer as JSON, or the error it stands for.
pub(super) fn read(status: StatusCode, body: &[u8]) -> Result<Value, RedisError> {
    let json = serde_json::from_slice::<Value>(body);
    if status.is_success() {
        return json.map_err(|_| RedisError::Garbled("not JSON"));
    }
    let words = json.as_ref().ok().and_then(|json| json["error"].as_str());
    Err(RedisError::of_status(status, words))
}

/// Reads the reply to one command.
pub(super) fn one(mut answer: Value, encoding: Encoding) -> Result<Reply, RedisError> {
    if let Some(words) = answer["error"].as_str() {
        return Err(RedisError::of_words(words));
    }
    match answer.get_mut("result") {
        Some(result) => Reply::of(result.take(), encoding),
        None => Err(RedisError::Garbled("neither a result nor an error")),
    }
}

/// Reads the replies to a pipeline of `count` commands.
pub(super) fn many(
    answer: Value,
    count: usize,
    encoding: Encoding,
) -> Result<Vec<Result<Reply, RedisError>>, RedisError> {
    match answer {
        Value::Array(items) if items.len() == count => {
            Ok(items.into_iter().map(|item| one(item, encoding)).collect())
        }
        Value::Array(_) => Err(RedisError::Garbled("another number of replies than commands")),
        whole => Err(one(whole, encoding).err().unwrap_or(RedisError::Garbled("one reply to a pipeline"))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn plain(answer: Value) -> Result<Reply, RedisError> {
        one(answer, Encoding::Plain)
    }

    #[test]
    fn every_kind_of_reply_is_read() {
        let answer = json!({"result": [null, 7, "text", [["1-0", ["p", "x"]]], 1.5, u64::MAX]});

        let items = plain(answer).unwrap().into_array().unwrap();

        assert_eq!(items[0], Reply::Nil);
        assert_eq!(items[1].as_integer(), Some(7));
        assert_eq!(items[2].as_text(), Some("text"));
        assert_eq!(items[3].clone().into_array().unwrap().len(), 1);
        assert_eq!(items[4].as_text(), Some("1.5"));
        assert_eq!(items[5].as_text(), Some("18446744073709551615"));
    }

    #[test]
    fn nil_and_an_empty_list_are_alike() {
        for nothing in [json!(null), json!([])] {
            let reply = plain(json!({ "result": nothing })).unwrap();

            assert!(reply.is_empty());
            assert!(reply.into_array().unwrap().is_empty());
        }
    }

    #[test]
    fn a_number_written_as_a_text_is_a_number() {
        assert_eq!(Reply::Text("9007199254740993".into()).as_integer(), Some(9_007_199_254_740_993));
        assert_eq!(Reply::Text("many".into()).as_integer(), None);
    }

    #[test]
    fn another_shape_is_garbled() {
        for answer in [json!({}), json!([]), json!("OK"), json!({"result": {}}), json!({"result": [true]})] {
            assert_eq!(plain(answer.clone()).unwrap_err().kind(), "garbled", "{answer}");
        }
        assert!(Reply::Integer(1).into_array().is_err());
        assert!(Reply::Nil.into_text().is_err());
    }

    #[test]
    fn base64_is_decoded_at_every_depth_and_ok_is_not() {
        let answer = json!({"result": ["OK", ["eyJhIjoxfQ==", ["w6Q="]], 3, null, "1-0"]});

        let reply = one(answer, Encoding::Base64).unwrap();

        let text = |text: &str| Reply::Text(text.into());
        let nested = Reply::Array(vec![text(r#"{"a":1}"#), Reply::Array(vec![text("ä")])]);
        let items = vec![text("OK"), nested, Reply::Integer(3), Reply::Nil, text("1-0")];
        assert_eq!(reply, Reply::Array(items));
    }

    proptest! {
        #[test]
        fn no_answer_makes_the_reader_fail(body in proptest::collection::vec(any::<u8>(), 0..64), status in 100_u16..600) {
            let status = StatusCode::from_u16(status).unwrap();
            if let Ok(answer) = read(status, &body) {
                let _ = many(answer.clone(), 1, Encoding::Base64);
                let _ = one(answer, Encoding::Base64);
            }
        }
    }
}

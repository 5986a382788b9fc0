//! What a callback says of an attempt.
//!
//! Source: <https://upstash.com/docs/qstash/features/callbacks>.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{attempt::Answer, message::Message};

/// Writes the body of a callback; `dead_letter` names the dead letter in a failure callback.
pub(super) fn callback_body(
    message: &Message,
    retried: u32,
    answer: &Answer,
    dead_letter: Option<&str>,
) -> Bytes {
    let source_headers: Map<String, Value> = message
        .target
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
        .collect();
    let mut body = json!({
        "status": answer.status,
        "header": answer_headers(answer),
        "body": STANDARD.encode(&answer.body),
        "retried": retried,
        "maxRetries": message.target.retries,
        "sourceMessageId": message.id,
        "topicName": "",
        "endpointName": "",
        "url": message.target.url,
        "method": message.target.method.as_str(),
        "sourceHeader": source_headers,
        "sourceBody": STANDARD.encode(&message.body),
        "notBefore": message.created_at.to_string(),
        "createdAt": message.created_at.to_string(),
        "scheduleId": "",
        "callerIP": "127.0.0.1",
    });
    if let Some(id) = dead_letter {
        body["dlqId"] = id.into();
    }
    body.to_string().into()
}

fn answer_headers(answer: &Answer) -> Map<String, Value> {
    let names = answer.headers.keys();
    let values = |name| answer.headers.get_all(name).iter().map(|value| text(value.as_bytes())).collect();
    names.map(|name| (name.to_string(), Value::Array(values(name)))).collect()
}

fn text(bytes: &[u8]) -> Value {
    String::from_utf8_lossy(bytes).into_owned().into()
}

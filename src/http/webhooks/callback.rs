//! What the queue says in a callback.
//!
//! Source: <https://upstash.com/docs/qstash/features/callbacks>. Documentation, types and examples
//! differ in what is text, number or list, so only what is needed is read.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;

/// Largest text that is kept, in bytes: as much as is read of a text layer.
const MAX_TEXT_BYTES: usize = 2 * 1024 * 1024;

/// One answer of the worker, or the last of several.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Callback {
    status: u16,
    /// The worker's answer, in Base64.
    #[serde(default)]
    body: Option<String>,
    /// Tries before this one.
    #[serde(default)]
    pub(super) retried: u32,
    #[serde(default)]
    max_retries: Option<u32>,
    /// As the documentation spells it in one place.
    #[serde(default, rename = "maxRteries")]
    max_rteries: Option<u32>,
    pub(super) source_message_id: String,
}

/// What the worker answers.
#[derive(Deserialize)]
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) pages: u32,
}

impl Callback {
    pub(super) const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    /// Says whether no try comes after this one; where it is not said, the failure callback says it.
    pub(super) fn is_last(&self) -> bool {
        self.max_retries.or(self.max_rteries).is_some_and(|most| self.retried >= most)
    }

    /// Reads the worker's answer; nothing when it is none.
    pub(super) fn answer(&self) -> Option<Answer> {
        let answer = STANDARD.decode(self.body.as_deref()?.trim_end()).ok()?;
        let mut answer: Answer = serde_json::from_slice(&answer).ok()?;
        let end = answer.text.floor_char_boundary(MAX_TEXT_BYTES);
        answer.text.truncate(end);
        // Databases refuse it, and no one reads it.
        answer.text.retain(|char| char != '\0');
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn callback(more: Value) -> Callback {
        let mut callback = json!({
            "status": 200, "header": { "Content-Type": ["application/json"] },
            "body": STANDARD.encode(r#"{"text":"Hämoglobin 11.2","pages":2}"#),
            "retried": 0, "maxRetries": 3, "sourceMessageId": "msg_1", "topicName": "", "endpointName": "",
            "url": "https://ocr.example/", "method": "POST", "sourceHeader": { "a": "b" },
            "sourceBody": "e30=", "notBefore": "1701198458025", "createdAt": "1701198447054",
            "scheduleId": "", "callerIP": "178.247.74.179",
        });
        callback.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(callback).unwrap()
    }

    #[test]
    fn every_documented_shape_is_read() {
        for more in [
            json!({}),
            json!({ "sourceHeader": { "a": ["b", "c"] }, "createdAt": 1_701_198_447_054_u64 }),
            json!({ "notBefore": 0, "dlqId": "1701198458025-0", "unheardOf": [1] }),
        ] {
            let callback = callback(more);

            assert!(callback.is_success() && callback.source_message_id == "msg_1");
            assert_eq!(callback.answer().unwrap().text, "Hämoglobin 11.2");
            assert_eq!(callback.answer().unwrap().pages, 2);
        }
    }

    #[test]
    fn a_try_is_the_last_only_when_it_is_said_so() {
        let is_last = |more| callback(more).is_last();

        assert!(!is_last(json!({ "status": 500, "retried": 2 })));
        assert!(is_last(json!({ "status": 500, "retried": 3 })));
        assert!(is_last(json!({ "status": 500, "retried": 3, "maxRetries": null, "maxRteries": 3 })));
        assert!(!is_last(json!({ "status": 500, "retried": 3, "maxRetries": null })));
    }

    #[test]
    fn an_answer_without_text_and_pages_is_none() {
        for body in
            ["", "[]", r#"{"text":"a"}"#, r#"{"text":1,"pages":1}"#, r#"{"text":"a","pages":-1}"#, "\u{1}"]
        {
            assert!(callback(json!({ "body": STANDARD.encode(body) })).answer().is_none(), "{body}");
        }
        assert!(callback(json!({ "body": "not Base64" })).answer().is_none());
        assert!(callback(json!({ "body": null })).answer().is_none());
    }

    #[test]
    fn more_text_than_is_kept_is_cut_between_characters() {
        let text = "ä".repeat(MAX_TEXT_BYTES);
        let body = STANDARD.encode(json!({ "text": format!("\0x{text}"), "pages": 1 }).to_string());

        let kept = callback(json!({ "body": body })).answer().unwrap().text;

        assert_eq!(kept.len(), MAX_TEXT_BYTES - 1);
        assert!(kept.starts_with('x'));
    }
}

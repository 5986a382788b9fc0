//! Reads what a publish asks for.
//!
//! Source: <https://upstash.com/docs/qstash/api/publish>.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use bytes::Bytes;
use reqwest::Url;
use sha2::{Digest, Sha256};

use super::{
    message::{Message, Target, new_id},
    refusal::Refusal,
    schedule::{parse_retry_delay, parse_wait},
};
use crate::clock::Clock;

/// As many as the vendor's service tries by itself.
const RETRIES: u32 = 3;
const MOST_RETRIES: u32 = 100;
/// How long a destination may take on the smallest plan.
const ANSWER_WITHIN: Duration = Duration::from_secs(15 * 60);
/// What the vendor's service knows and this one does not.
const NOT_SERVED: [&str; 4] =
    ["upstash-cron", "upstash-flow-control-key", "upstash-flow-control-value", "upstash-queue-name"];

/// Reads a message; its body is not looked at.
pub(super) fn read_message(
    destination: &str,
    headers: &HeaderMap,
    body: Bytes,
    clock: Clock,
) -> Result<Message, Refusal> {
    if let Some(name) = NOT_SERVED.into_iter().find(|name| headers.contains_key(*name)) {
        return Err(Refusal::bad(format!("qstash-dev does not know {name}")));
    }
    let mut target = read_target(destination, headers, "upstash-", RETRIES)?;
    if let Some(moment) = text(headers, "upstash-not-before")? {
        let moment: u64 =
            moment.parse().map_err(|_| Refusal::bad("Upstash-Not-Before must be seconds since 1970"))?;
        target.delay = Duration::from_secs(moment).saturating_sub(clock.since_epoch());
    }
    if let Some(content_type) = headers.get(header::CONTENT_TYPE) {
        target.headers.entry(header::CONTENT_TYPE).or_insert_with(|| content_type.clone());
    }
    let follow = |name: &str| -> Result<Option<Target>, Refusal> {
        let Some(url) = text(headers, name)? else { return Ok(None) };
        read_target(url, headers, &format!("{name}-"), target.retries).map(Some)
    };
    Ok(Message {
        id: new_id(),
        callback: follow("upstash-callback")?,
        failure_callback: follow("upstash-failure-callback")?,
        created_at: clock.milliseconds(),
        target,
        body,
    })
}

/// Gives the name under which repeats of a message are known, if it has one.
pub(super) fn deduplication_key(message: &Message, headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    if let Some(id) = text(headers, "upstash-deduplication-id")? {
        return Ok(Some(format!("id:{id}")));
    }
    if text(headers, "upstash-content-based-deduplication")? != Some("true") {
        return Ok(None);
    }
    let mut hash = Sha256::new();
    hash.update(message.target.url.as_bytes());
    hash.update([0]);
    for (name, value) in &message.target.headers {
        hash.update(name.as_str().as_bytes());
        hash.update([0]);
        hash.update(value.as_bytes());
        hash.update([0]);
    }
    hash.update(&message.body);
    let digits = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    Ok(Some(format!("content:{digits}")))
}

fn read_target(url: &str, headers: &HeaderMap, prefix: &str, retries: u32) -> Result<Target, Refusal> {
    let named = |name: &str| text(headers, &format!("{prefix}{name}"));
    Ok(Target {
        url: check_url(url)?,
        method: named("method")?.map_or(Ok(Method::POST), read_method)?,
        headers: forwarded(headers, &format!("{prefix}forward-")),
        delay: named("delay")?.map_or(Ok(Duration::ZERO), parse_wait)?,
        retries: named("retries")?.map_or(Ok(retries), read_retries)?,
        retry_delay: named("retry-delay")?.map(parse_retry_delay).transpose()?,
        answer_within: named("timeout")?.map_or(Ok(ANSWER_WITHIN), parse_wait)?.min(ANSWER_WITHIN),
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Refusal> {
    let value = headers.get(name).map(HeaderValue::to_str).transpose();
    value
        .map(|text| text.map(str::trim).filter(|text| !text.is_empty()))
        .map_err(|_| Refusal::bad(format!("{name} must be plain text")))
}

fn check_url(url: &str) -> Result<String, Refusal> {
    match Url::parse(url) {
        Ok(parsed) if matches!(parsed.scheme(), "http" | "https") && parsed.has_host() => Ok(url.to_owned()),
        _ => Err(Refusal::bad(
            "invalid destination: qstash-dev delivers to URLs that start with http:// or https:// only",
        )),
    }
}

fn read_method(text: &str) -> Result<Method, Refusal> {
    let allowed = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let method = allowed.into_iter().find(|method| method.as_str().eq_ignore_ascii_case(text));
    method.ok_or_else(|| Refusal::bad("the method must be GET, POST, PUT, PATCH or DELETE"))
}

fn read_retries(text: &str) -> Result<u32, Refusal> {
    let retries = text.parse().ok().filter(|retries| *retries <= MOST_RETRIES);
    retries.ok_or_else(|| Refusal::bad(format!("retries must be a whole number from 0 to {MOST_RETRIES}")))
}

fn forwarded(headers: &HeaderMap, prefix: &str) -> HeaderMap {
    let own = headers.iter().filter_map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_str().strip_prefix(prefix)?.as_bytes()).ok()?;
        // Hop by hop, or told by the delivery itself.
        let is_ours = matches!(name.as_str(), "host" | "connection" | "content-length" | "transfer-encoding");
        (!is_ours).then(|| (name, value.clone()))
    });
    own.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn read(pairs: &[(&'static str, &str)]) -> Result<Message, Refusal> {
        read_message("http://127.0.0.1:1/a?b=c", &headers(pairs), "body".into(), Clock::System)
    }

    #[test]
    fn what_is_not_said_has_the_documented_default() {
        let message = read(&[("content-type", "application/json")]).unwrap();

        assert_eq!(message.target.url, "http://127.0.0.1:1/a?b=c");
        assert_eq!((message.target.method, message.target.retries), (Method::POST, 3));
        assert_eq!(message.target.headers["content-type"], "application/json");
        assert!(message.callback.is_none() && message.failure_callback.is_none());
    }

    #[test]
    fn each_target_has_its_own_settings_and_a_callback_the_retries_of_the_message() {
        let message = read(&[
            ("upstash-method", "put"),
            ("upstash-retries", "5"),
            ("upstash-timeout", "30s"),
            ("upstash-delay", "1m"),
            ("upstash-forward-x-own", "1"),
            ("upstash-callback", "http://127.0.0.1:2/"),
            ("upstash-callback-forward-x-back", "2"),
            ("upstash-failure-callback", "http://127.0.0.1:3/"),
            ("upstash-failure-callback-retries", "0"),
            ("upstash-failure-callback-method", "PATCH"),
        ])
        .unwrap();
        let (callback, failure) = (message.callback.unwrap(), message.failure_callback.unwrap());

        assert_eq!((message.target.method, message.target.retries), (Method::PUT, 5));
        assert_eq!(message.target.answer_within, Duration::from_secs(30));
        assert_eq!(message.target.delay, Duration::from_secs(60));
        assert_eq!(message.target.headers, headers(&[("x-own", "1")]));
        assert_eq!((callback.retries, callback.headers), (5, headers(&[("x-back", "2")])));
        assert_eq!((failure.retries, failure.method), (0, Method::PATCH));
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        for bad in [
            ("upstash-method", "BREW"),
            ("upstash-retries", "-1"),
            ("upstash-retry-delay", "pow(2, retried)"),
            ("upstash-delay", "soon"),
            ("upstash-callback", "topic"),
            ("upstash-flow-control-key", "k"),
        ] {
            assert!(matches!(read(&[bad]), Err(Refusal::Bad(_))), "{bad:?}");
        }
        for bad in ["topic", "api/llm", "ftp://x", "http://", ""] {
            let refused = read_message(bad, &HeaderMap::new(), Bytes::new(), Clock::System);
            assert!(matches!(refused, Err(Refusal::Bad(_))), "{bad}");
        }
    }

    #[test]
    fn content_names_a_message_by_destination_body_and_forwarded_headers() {
        let key = |pairs: &[(&'static str, &str)]| {
            let all = [pairs, &[("upstash-content-based-deduplication", "true")]].concat();
            deduplication_key(&read(&all).unwrap(), &headers(&all)).unwrap().unwrap()
        };

        assert_eq!(key(&[]), key(&[("upstash-retries", "1")]));
        assert_ne!(key(&[]), key(&[("upstash-forward-a", "1")]));
        let named = headers(&[("upstash-deduplication-id", "d1.1")]);
        assert_eq!(deduplication_key(&read(&[]).unwrap(), &named), Ok(Some("id:d1.1".into())));
    }
}

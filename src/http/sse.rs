//! Writes frames as the text of Server-Sent Events.
//!
//! Ids, event names and data are checked or serialized before they come here: none can hold a
//! line break. Frames that are the same for all viewers are written once.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::Response,
};
use bytes::{BufMut, Bytes, BytesMut};
use futures::{Stream, stream};
use serde::Serialize;
use serde_json::json;

use super::chunk;
use crate::{
    event::{Cursor, Event, chat_types},
    limits::StreamPlace,
    stream::{Frame, ReconnectReason, Viewer},
};

/// Room for the headers of a stream, with those that every answer carries and those for pages of other hosts.
const MOST_HEADERS: usize = 12;

/// A stream that an answer offers: whoever serves the answer may take it, and write it in place of the body.
#[derive(Clone)]
pub(crate) struct OfferedStream(Arc<Mutex<Option<Told>>>);

/// A viewer, and what is held for as long as it is told.
pub(crate) struct Told {
    pub(crate) viewer: Box<Viewer>,
    pub(crate) held: Option<StreamPlace>,
}

impl OfferedStream {
    /// Takes the stream that an answer offers; its body is empty then.
    pub(crate) fn take_from(answer: &mut Response) -> Option<Told> {
        answer.extensions_mut().remove::<Self>()?.lock().take()
    }

    /// Holds `place`, if there is one, for as long as the stream that an answer offers is told.
    pub(super) fn hold(answer: &Response, place: Option<StreamPlace>) {
        if let Some(offered) = answer.extensions().get::<Self>()
            && let Some(told) = offered.lock().as_mut()
        {
            told.held = place;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Told>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers with a viewer's stream.
pub(super) fn respond(viewer: Box<Viewer>) -> Response {
    let offered = OfferedStream(Arc::new(Mutex::new(Some(Told { viewer, held: None }))));
    let mut answer = with_headers(Body::from_stream(frames(offered.clone())));
    answer.extensions_mut().insert(offered);
    answer
}

/// Gives the frames of a stream that nobody took before its first one.
fn frames(offered: OfferedStream) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(None, move |told: Option<Told>| {
        let told = told.or_else(|| offered.lock().take());
        async {
            let mut told = told?;
            let frame = told.viewer.next().await?;
            Some((Ok(encode(&frame)), Some(told)))
        }
    })
}

/// Answers a viewer that is to come back later; any other answer would end an EventSource for good.
pub(super) fn respond_later() -> Response {
    with_headers(Body::from(encode(&Frame::Reconnect(ReconnectReason::Overloaded))))
}

pub(super) fn with_headers(body: Body) -> Response {
    let mut answer = Response::new(body);
    let headers = answer.headers_mut();
    headers.reserve(MOST_HEADERS);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    headers.insert(header::HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    answer
}

/// Writes one frame.
fn encode(frame: &Frame) -> Bytes {
    chunk::unwrap(&encode_chunk(frame))
}

/// Writes one frame as a chunk of HTTP/1.1.
pub(crate) fn encode_chunk(frame: &Frame) -> Bytes {
    let frame = match frame {
        Frame::Event(event) => return event.frame(|event| chunk::wrap(&write_event(event))),
        Frame::Heartbeat(beat, None) => {
            return beat.frame(|time| chunk::wrap(&write_heartbeat(None, time)));
        }
        Frame::Heartbeat(beat, Some(cursor)) => write_heartbeat(Some(cursor), &beat.server_time),
        Frame::Retry(wait) => format!("retry: {}\n\n", wait.as_millis()).into(),
        Frame::Connected(connected) => write_json(Some(&connected.cursor), "connected", connected),
        Frame::Message(stored) => write_json(None, chat_types::MESSAGE, &stored.message),
        Frame::DocumentUpdate(update) => write_json(None, "document_update", update),
        Frame::Source(change) => write_json(None, "source", change),
        Frame::Done(done) => write_json(Some(&done.cursor), "done", done),
        Frame::Reconnect(reason) => write_reconnect(*reason),
    };
    chunk::wrap(&frame)
}

fn write_event(event: &Event) -> Bytes {
    write(Some(&Cursor::plain(event.id)), event.name.as_str(), &event.data)
}

fn write_heartbeat(cursor: Option<&Cursor>, time: &str) -> Bytes {
    write_json(cursor, "heartbeat", &json!({ "server_time": time }))
}

fn write_reconnect(reason: ReconnectReason) -> Bytes {
    let mut frame = BytesMut::new();
    if let Some(wait) = reason.retry() {
        frame.put(format!("retry: {}\n", wait.as_millis()).as_bytes());
    }
    frame.put(write_json(None, "reconnect", &json!({ "reason": reason.as_str() })));
    frame.freeze()
}

pub(super) fn write_json(cursor: Option<&Cursor>, name: &str, data: &impl Serialize) -> Bytes {
    write(cursor, name, &serde_json::to_vec(data).expect("frames always serialize"))
}

fn write(cursor: Option<&Cursor>, name: &str, data: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(data.len() + name.len() + 64);
    if let Some(cursor) = cursor {
        frame.put(format!("id: {cursor}\n").as_bytes());
    }
    frame.put(&b"event: "[..]);
    frame.put(name.as_bytes());
    frame.put(&b"\ndata: "[..]);
    frame.put(data);
    frame.put(&b"\n\n"[..]);
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventId, Id, ProgressEvent, ProgressFold, Stage};
    use proptest::prelude::*;

    #[test]
    fn frames_have_the_form_of_the_contract() {
        let frame = write(Some(&Cursor::done(EventId::new(5, 1), 9)), "done", b"{}");

        assert_eq!(frame, "id: 5-1~done.9\nevent: done\ndata: {}\n\n");
        assert_eq!(encode(&Frame::Retry(std::time::Duration::from_secs(1))), "retry: 1000\n\n");
    }

    #[test]
    fn overload_tells_the_browser_to_wait() {
        let frame = encode(&Frame::Reconnect(ReconnectReason::Overloaded));

        assert_eq!(frame, "retry: 15000\nevent: reconnect\ndata: {\"reason\":\"overloaded\"}\n\n");
    }

    proptest! {
        #[test]
        fn no_input_breaks_out_of_its_frame(label in ".*", detail in "(?s).*", key in "(?s).*", value in "(?s).*") {
            let mut event = ProgressEvent::new(Id::parse("d1").unwrap(), Stage::OcrStarted);
            event.label = Some(label);
            event.detail = Some(detail);
            event.timestamp = Some(value.clone());
            event.extra.insert(key, value.into());

            let shown = ProgressFold::default().apply(EventId::new(1, 0), &event).unwrap();
            let frame = write_event(&shown);

            let text = std::str::from_utf8(&frame).unwrap();
            let lines: Vec<_> = text.split(['\n', '\r']).collect();
            prop_assert_eq!(lines.len(), 5);
            prop_assert_eq!(&lines[..2], ["id: 1-0", "event: progress"]);
            prop_assert_eq!(lines[2].split_at(7).0, "data: {");
            prop_assert_eq!(&lines[3..], ["", ""]);
        }
    }
}

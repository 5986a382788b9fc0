//! Makes a delivery of a request, once its signature holds.

use axum::body::Body;
use bytes::Bytes;
use futures::StreamExt;

use super::{CALLBACK_PATH, FAILURE_PATH, MAX_DELIVERY_BYTES, callback::Callback};
use crate::{
    documents::ocr::{Delivery, OcrFailure, OcrResult},
    event::Id,
    upstash::{Authentic, SignatureError, body_digest},
};

/// What is read of a body that is too large: who still sends hears no answer.
const MOST_READ_BYTES: usize = 64 * 1024 * 1024;

/// Which of the two routes a delivery came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Callback,
    Failure,
}

/// Why a request is no delivery.
pub(super) enum Unusable {
    /// Its body is not the one that was signed.
    Signature(SignatureError),
    /// It did not arrive whole.
    Interrupted,
    /// It is signed, and will not be better next time.
    Final { words: &'static str, ends: Option<Box<Delivery>> },
}

/// Which attempt at which document a delivery is about, as its signed URL says.
struct Subject {
    document_id: Id,
    attempt: u32,
}

impl Kind {
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Callback => CALLBACK_PATH,
            Self::Failure => FAILURE_PATH,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Callback => "callback",
            Self::Failure => "failure",
        }
    }
}

/// Reads the body, compares it with its signature, and only then looks into it.
pub(super) async fn read_delivery(
    kind: Kind,
    query: Option<&str>,
    body: Body,
    authentic: &Authentic,
) -> Result<Delivery, Unusable> {
    let body = read(body).await?;
    if let Some(body) = &body {
        authentic.verify_body(body).map_err(Unusable::Signature)?;
    }
    let Some(subject) = Subject::read(query) else {
        return Err(Unusable::Final { words: "The URL must name `document_id` and `attempt`.", ends: None });
    };
    let Some(body) = body else {
        return Err(subject.ended_by("too_large", "A delivery is at most 4500000 bytes."));
    };
    match serde_json::from_slice::<Callback>(&body) {
        Ok(callback) => subject.delivery(kind, &callback),
        Err(_) => Err(subject.ended_by(&body_digest(&body), "The body is not a callback of QStash.")),
    }
}

/// Nothing when it is too large.
async fn read(body: Body) -> Result<Option<Bytes>, Unusable> {
    let (mut frames, mut bytes, mut length) = (body.into_data_stream(), Vec::new(), 0);
    while let Some(frame) = frames.next().await {
        let frame = frame.map_err(|_| Unusable::Interrupted)?;
        length += frame.len();
        if length <= MAX_DELIVERY_BYTES {
            bytes.extend_from_slice(&frame);
        } else if length > MOST_READ_BYTES {
            break;
        }
    }
    Ok((length <= MAX_DELIVERY_BYTES).then(|| bytes.into()))
}

impl Subject {
    fn read(query: Option<&str>) -> Option<Self> {
        let pairs = || url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let value = |wanted: &str| pairs().find(|(name, _)| name == wanted).map(|(_, value)| value);
        Some(Self {
            document_id: Id::parse(&value("document_id")?).ok()?,
            attempt: value("attempt")?.parse().ok()?,
        })
    }

    fn delivery(self, kind: Kind, callback: &Callback) -> Result<Delivery, Unusable> {
        let name = format!("{}.{}.{}", kind.name(), callback.source_message_id, callback.retried);
        let failed = Some(OcrResult::Failed(OcrFailure::Failed));
        let result = match kind {
            Kind::Failure => failed,
            Kind::Callback if !callback.is_success() => failed.filter(|_| callback.is_last()),
            Kind::Callback => match callback.answer() {
                Some(answer) => Some(OcrResult::Text { text: answer.text, pages: answer.pages }),
                None => {
                    return Err(self.ended_by(&name, "The worker's answer must be {\"text\":…,\"pages\":…}."));
                }
            },
        };
        Ok(self.named(name, result))
    }

    /// Ends the attempt: what came instead of its text will not come again.
    fn ended_by(self, name: &str, words: &'static str) -> Unusable {
        let ends = self.named(format!("unusable.{name}"), Some(OcrResult::Failed(OcrFailure::Failed)));
        Unusable::Final { words, ends: Some(Box::new(ends)) }
    }

    fn named(self, name: String, result: Option<OcrResult>) -> Delivery {
        let id = format!("{}.{}.{name}", self.document_id, self.attempt);
        Delivery { id, document_id: self.document_id, attempt: self.attempt, result }
    }
}

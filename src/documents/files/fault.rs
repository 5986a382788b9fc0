//! Names what is wrong with a store in words of a closed list, and what to do about it.
//!
//! What a storage answers holds keys and so ids: nothing of it is handed on but its error code.

use std::{error::Error as StdError, io};

use object_store::Error;

pub(super) const NO_ROUTE: &str = "no answer came: is AWS_ENDPOINT_URL right, and the storage up?";

/// Error codes of S3 (<https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>) and their cures.
const CODES: [(&str, &str); 12] = [
    ("NoSuchBucket", "make the bucket, or mend its name in STORAGE_URL"),
    ("InvalidBucketName", "mend the bucket's name in STORAGE_URL"),
    ("InvalidAccessKeyId", "AWS_ACCESS_KEY_ID names no key of this storage"),
    ("NotSignedUp", "AWS_ACCESS_KEY_ID names no key of this storage"),
    ("SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY does not belong to AWS_ACCESS_KEY_ID"),
    ("AuthorizationHeaderMalformed", "AWS_REGION is not the bucket's region"),
    ("IllegalLocationConstraintException", "AWS_REGION is not the bucket's region"),
    ("PermanentRedirect", "AWS_REGION or AWS_ENDPOINT_URL is not the bucket's"),
    ("RequestTimeTooSkewed", "set the clock of this machine: it is more than 15 minutes off"),
    ("ExpiredToken", "AWS_SESSION_TOKEN has ended: get a new one, with its keys"),
    ("InvalidToken", "AWS_SESSION_TOKEN does not belong to the key: leave it empty if there is none"),
    ("AccessDenied", DENIED),
];
const DENIED: &str =
    "the key needs s3:PutObject, s3:GetObject, s3:DeleteObject and s3:ListBucket (docs/storage.md)";

/// Names the fault.
pub(super) fn kind(error: &Error) -> String {
    if let Some((code, _)) = known_code(error) {
        return code.into();
    }
    match (error, io_kind(error)) {
        (Error::PermissionDenied { .. }, _) => "access denied".into(),
        (Error::Unauthenticated { .. }, _) => "credentials refused".into(),
        (Error::NotFound { .. }, _) => "not found".into(),
        (_, Some(kind)) => kind.to_string(),
        _ if has_no_route(error) => "no route to the file store".into(),
        _ => "the file store failed".into(),
    }
}

/// Says what to do.
pub(super) fn cure(error: &Error) -> Option<&'static str> {
    if let Some((_, cure)) = known_code(error) {
        return Some(cure);
    }
    match error {
        Error::PermissionDenied { .. } => Some(DENIED),
        Error::Unauthenticated { .. } => Some("AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is not right"),
        _ if is_full(error) => Some("make room where STORAGE_URL leads to"),
        _ if has_no_route(error) => Some(NO_ROUTE),
        _ => None,
    }
}

/// Says whether there is no room for another file.
pub(super) fn is_full(error: &Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(io_kind(error), Some(StorageFull | QuotaExceeded | FileTooLarge))
}

fn known_code(error: &Error) -> Option<(&'static str, &'static str)> {
    let texts: Vec<_> = causes(error).map(ToString::to_string).collect();
    // As an element of the answer: a key might hold the words.
    let is_said = |code: &str| texts.iter().any(|text| text.contains(&format!("<Code>{code}</Code>")));
    CODES.into_iter().find(|(code, _)| is_said(code))
}

fn io_kind(error: &Error) -> Option<io::ErrorKind> {
    causes(error).find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind)
}

fn has_no_route(error: &Error) -> bool {
    causes(error).filter_map(|cause| cause.downcast_ref::<object_store::client::HttpError>()).any(|error| {
        use object_store::client::HttpErrorKind::{Connect, Interrupted, Request, Timeout};
        matches!(error.kind(), Connect | Request | Timeout | Interrupted)
    })
}

fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| (*error).source())
}

//! Files that are built into the binary: what pages are made of.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

pub(super) const HTML: &str = "text/html; charset=utf-8";
pub(super) const SCRIPT: &str = "text/javascript; charset=utf-8";
pub(super) const PLAIN: &str = "text/plain; charset=utf-8";
pub(super) const STYLE: &str = "text/css; charset=utf-8";

/// A file's name, media type and text.
pub(super) type BuiltIn = (&'static str, &'static str, &'static str);

/// Answers with the file of this name, if it is one of `files`.
pub(super) fn find(files: &[BuiltIn], wanted: &str) -> Response {
    match files.iter().find(|(name, ..)| *name == wanted) {
        Some((_, media_type, text)) => give(media_type, text),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Answers with one text; another version of the program brings another one under the same name.
pub(super) fn give(media_type: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, media_type), (header::CACHE_CONTROL, "no-cache")], text).into_response()
}

//! What every answer carries: the id of its request, and headers that keep browsers careful.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::Response,
};
use futures::{FutureExt, TryFutureExt, future::BoxFuture};
use tower::Service;

use crate::event::Id;

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id of a proxy that is taken over, in characters.
const LONGEST: usize = 64;
/// Answers are data: nothing of them is to run, be framed, or be taken for another type, and the URL, which may
/// hold a token, goes nowhere. Pages bring a policy of their own.
const HEADERS: [(HeaderName, HeaderValue); 3] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; base-uri 'none'; frame-ancestors 'none'"),
    ),
];

/// Names a request in logs and in its answer.
#[derive(Clone)]
pub(super) struct RequestId(pub(super) Id);

/// Names each request, and puts its name and the headers on the answer of what is behind it.
#[derive(Clone)]
pub(super) struct Sealed<S>(pub(super) S);

impl<S, B> Service<Request> for Sealed<S>
where
    S: Service<Request, Response = Response<B>, Error = Infallible, Future: Send + 'static>,
{
    type Response = Response<B>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<B>, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let id = given(request.headers()).unwrap_or_else(Id::random);
        request.extensions_mut().insert(RequestId(id.clone()));
        self.0.call(request).map_ok(move |answer| seal(answer, &id)).boxed()
    }
}

fn seal<B>(mut answer: Response<B>, id: &Id) -> Response<B> {
    let headers = answer.headers_mut();
    headers.insert(REQUEST_ID, HeaderValue::from_str(id.as_str()).expect("ids are plain"));
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(value);
    }
    answer
}

/// The id that a proxy in front has logged, if it is one.
fn given(headers: &HeaderMap) -> Option<Id> {
    let text = headers.get(REQUEST_ID)?.to_str().ok().filter(|text| text.len() <= LONGEST)?;
    Id::parse(text).ok()
}

//! What every request passes last before its route, and every answer first: limits, and one form of refusals.
//!
//! A service of its own, as the framework's functions around a route copy the route for each request.

use std::{
    convert::Infallible,
    future::ready,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use futures::{
    FutureExt, TryFutureExt,
    future::{BoxFuture, Either},
};
use tower::Service;

use super::{Shared, limits, problem, sse::OfferedStream};

/// Lets requests in to a route, or refuses them.
#[derive(Clone)]
pub(super) struct Gate<S> {
    pub(super) parts: Shared,
    pub(super) route: S,
}

impl<S> Service<Request> for Gate<S>
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send + 'static>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.route.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let parts = Arc::clone(&self.parts);
        let answering = match limits::admit(&parts, &request) {
            Err(enough) => Either::Left(ready(Ok(enough.into_response()))),
            Ok(place) => Either::Right(self.route.call(request).map_ok(|answer| {
                OfferedStream::hold(&answer, place);
                answer
            })),
        };
        answering.map_ok(move |answer| problem::unify(&parts, answer)).boxed()
    }
}

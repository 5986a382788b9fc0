//! Holds an invocation until its answer is told to the end and the work behind it is done.
//!
//! It takes the place of the bridge's own layer, which hides `wait_until`, gathers whole bodies in
//! memory, and notices a viewer who left only ten frames later.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
};
use futures::future::BoxFuture;
use http_body::Frame;
use http_body_util::combinators::BoxBody;
use sync_wrapper::SyncWrapper;
use tokio::{sync::oneshot, time::timeout};
use tower::{Service, ServiceExt};
use vercel_runtime::{AppState, Error, Request, Response, ResponseBody};

use crate::app::Background;

/// Answers invocations with a router.
#[derive(Clone)]
pub(super) struct Invocations {
    router: Router,
    background: Background,
    longest: Duration,
}

impl Invocations {
    /// Holds an invocation for work behind its answer for `longest` at most.
    pub(super) const fn new(router: Router, background: Background, longest: Duration) -> Self {
        Self { router, background, longest }
    }

    /// Begins to hold the invocation, until what is answered here is dropped and its work is done.
    fn hold(&self, invocation: &AppState, leaves_work: bool) -> oneshot::Sender<()> {
        let (answer, answered) = oneshot::channel::<()>();
        let (background, longest) = (self.background.clone(), self.longest);
        invocation.wait_until(async move {
            let _ = answered.await;
            if leaves_work && timeout(longest, background.done()).await.is_err() {
                tracing::warn!("work is still under way; the platform may end this process");
            }
        });
        answer
    }
}

impl Service<(AppState, Request)> for Invocations {
    type Response = Response<ResponseBody>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Self::Response, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (invocation, request): (AppState, Request)) -> Self::Future {
        let answer = self.hold(&invocation, !request.method().is_safe());
        let answering = self.router.clone().oneshot(request.map(Body::new));
        Box::pin(async move {
            let response = answering.await?;
            Ok(response.map(|body| {
                ResponseBody(BoxBody::new(HoldingBody { body: SyncWrapper::new(body), _answer: answer }))
            }))
        })
    }
}

/// A body that holds its invocation until it is dropped: at its end, or when nobody takes it any more.
struct HoldingBody {
    body: SyncWrapper<Body>,
    _answer: oneshot::Sender<()>,
}

impl HttpBody for HoldingBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(self.body.get_mut()).poll_frame(context).map_err(Error::from)
    }
}

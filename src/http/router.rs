//! Every route on one screen, grouped by who calls it.
//!
//! A route's method, path and description for `/openapi.json` stand at its handler (`#[utoipa::path]`).

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, MatchedPath, Request},
    http::StatusCode,
};
use tower::ServiceBuilder;
use tower_http::trace::TraceLayer;
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouterExt},
    routes,
};

use super::{
    Parts,
    body::MAX_JSON_BYTES,
    checklist, cors, documents,
    envelope::{RequestId, Sealed},
    events, file_links,
    gate::Gate,
    health, messages, openapi, operations, ops, page, progress, progress_batch, stream, tokens, uploads,
    webhooks,
};

/// Builds the routes over `parts`.
pub fn router(parts: Parts) -> Router {
    let cors = cors::layer(&parts.allowed_origins);
    let parts = Arc::new(parts);

    let long_body = DefaultBodyLimit::max(messages::MAX_BODY_BYTES);
    let browser = OpenApiRouter::new()
        .routes(routes!(stream::documents))
        .routes(routes!(stream::chat))
        .routes(routes!(stream::other))
        .routes(routes!(documents::list))
        .routes(routes!(documents::retry))
        .routes(routes!(uploads::presign))
        .routes(routes!(uploads::put_file))
        .routes(routes!(uploads::confirm))
        .routes(routes!(checklist::checklist))
        .routes(routes!(checklist::requirements))
        .routes(routes!(checklist::procedures))
        .routes(routes!(messages::post).layer(long_body))
        .routes(routes!(tokens::issue))
        .routes(routes!(page::index))
        .routes(routes!(page::file))
        .routes(routes!(page::client))
        .routes(routes!(page::client_types));

    let batch_body = DefaultBodyLimit::max(progress_batch::MAX_BODY_BYTES);
    let service = OpenApiRouter::new()
        .routes(routes!(progress::publish))
        .routes(routes!(progress_batch::publish).layer(batch_body))
        .routes(routes!(events::publish));

    let queue = OpenApiRouter::new()
        .routes(routes!(webhooks::callback))
        .routes(routes!(webhooks::failure))
        .routes(routes!(file_links::file));

    let operators = OpenApiRouter::new()
        .routes(routes!(operations::healthz))
        .routes(routes!(operations::readyz))
        .routes(routes!(health::health))
        .routes(routes!(operations::metrics))
        .routes(routes!(openapi::document))
        .routes(routes!(ops::index))
        .routes(routes!(ops::stream))
        .routes(routes!(ops::file));

    let routes = browser.merge(service).merge(queue).merge(operators);
    let (router, api) = openapi::described(routes).split_for_parts();
    // One stack: each layer that is added alone boxes every request once more.
    let layers = ServiceBuilder::new()
        .layer_fn(Sealed)
        .layer(TraceLayer::new_for_http().make_span_with(span))
        .layer(cors)
        .layer_fn({
            let parts = Arc::clone(&parts);
            move |route| Gate { parts: Arc::clone(&parts), route }
        })
        .layer(DefaultBodyLimit::max(MAX_JSON_BYTES))
        .layer(Extension(openapi::Written::of(api)));
    router.fallback(async || StatusCode::NOT_FOUND).layer(layers).with_state(parts)
}

/// Names a request by its route: paths hold ids, and queries hold tokens.
fn span(request: &Request) -> tracing::Span {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str);
    let id = request.extensions().get::<RequestId>().map(|RequestId(id)| id.as_str());
    tracing::info_span!("request", method = %request.method(), route, id)
}

//! Every route on one screen, grouped by who calls it.
//!
//! A route's method, path and description for `/openapi.json` stand at its handler (`#[utoipa::path]`).

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, MatchedPath, Request},
    http::StatusCode,
    middleware,
};
use tower_http::trace::TraceLayer;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Parts, body::MAX_JSON_BYTES, cors, documents, openapi, operations, ops, page, problem, progress, stream,
    tokens, uploads,
};

/// Builds the routes over `parts`.
pub fn router(parts: Parts) -> Router {
    let cors = cors::layer(&parts.allowed_origins);
    let parts = Arc::new(parts);

    let browser = OpenApiRouter::new()
        .routes(routes!(stream::documents))
        .routes(routes!(documents::list))
        .routes(routes!(uploads::presign))
        .routes(routes!(uploads::put_file))
        .routes(routes!(uploads::confirm))
        .routes(routes!(tokens::issue))
        .routes(routes!(page::index))
        .routes(routes!(page::file))
        .routes(routes!(page::client));

    let service = OpenApiRouter::new().routes(routes!(progress::publish));

    let operators = OpenApiRouter::new()
        .routes(routes!(operations::healthz))
        .routes(routes!(operations::readyz))
        .routes(routes!(operations::metrics))
        .routes(routes!(openapi::document))
        .routes(routes!(ops::index))
        .routes(routes!(ops::stream))
        .routes(routes!(ops::file));

    let (router, api) = openapi::described(browser.merge(service).merge(operators)).split_for_parts();
    router
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(Extension(openapi::Written::of(api)))
        .layer(DefaultBodyLimit::max(MAX_JSON_BYTES))
        .layer(middleware::from_fn_with_state(Arc::clone(&parts), problem::unify))
        .layer(cors)
        .layer(TraceLayer::new_for_http().make_span_with(span))
        .with_state(parts)
}

/// Names a request by its route: paths hold ids, and queries hold tokens.
fn span(request: &Request) -> tracing::Span {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str);
    tracing::info_span!("request", method = %request.method(), route)
}

//! Every route on one screen, grouped by who calls it.

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request},
    http::StatusCode,
    middleware,
    routing::{get, post, put},
};
use tower_http::trace::TraceLayer;

use super::{
    Parts, body::MAX_JSON_BYTES, checklist, cors, documents, events, file_links, health, messages,
    operations, page, problem, progress, stream, tokens, uploads, webhooks,
};

/// Builds the routes over `parts`.
pub fn router(parts: Parts) -> Router {
    let cors = cors::layer(&parts.allowed_origins);
    let parts = Arc::new(parts);

    let long_body = DefaultBodyLimit::max(messages::MAX_BODY_BYTES);
    let browser = Router::new()
        .route("/api/v1/patients/{patient_id}/documents/stream", get(stream::documents))
        .route("/api/v1/cases/{case_id}/chat/stream", get(stream::chat))
        .route("/api/v1/streams/{kind}/{id}", get(stream::other))
        .route("/api/v1/patients/{patient_id}/documents", get(documents::list))
        .route("/api/v1/documents/{document_id}/retry", post(documents::retry))
        .route("/api/v1/uploads/presign", post(uploads::presign))
        .route("/api/v1/uploads/{document_id}/file", put(uploads::put_file))
        .route("/api/v1/uploads/confirm", post(uploads::confirm))
        .route("/api/v1/cases/{case_id}/checklist", get(checklist::checklist))
        .route("/api/v1/procedures/{code}/requirements", get(checklist::requirements))
        .route("/api/v1/cases/{case_id}/messages", post(messages::post).layer(long_body))
        .route("/api/v1/tokens", post(tokens::issue))
        .route("/", get(page::index))
        .route("/page/{file}", get(page::file))
        .route("/tidings.js", get(page::client))
        .route("/tidings.d.ts", get(page::client_types));

    let service = Router::new()
        .route("/api/v1/progress", post(progress::publish))
        .route("/api/v1/streams/{kind}/{id}/events", post(events::publish));

    let queue = Router::new()
        .route(webhooks::CALLBACK_PATH, post(webhooks::callback))
        .route(webhooks::FAILURE_PATH, post(webhooks::failure))
        .route("/api/v1/documents/{document_id}/file", get(file_links::file));

    let operators = Router::new()
        .route("/healthz", get(operations::healthz))
        .route("/readyz", get(operations::readyz))
        .route("/api/v1/health", get(health::health))
        .route("/metrics", get(operations::metrics));

    browser
        .merge(service)
        .merge(queue)
        .merge(operators)
        .fallback(async || StatusCode::NOT_FOUND)
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

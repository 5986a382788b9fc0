//! A receiver of traces: takes real OTLP over HTTP and keeps what it was sent.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::Span,
};
use prost::Message;
use tokio::{net::TcpListener, task::JoinHandle};

const PATIENCE: Duration = Duration::from_secs(20);

/// A running receiver; ended when dropped.
pub struct Collector {
    pub url: String,
    received: Arc<Mutex<Vec<Received>>>,
    serving: JoinHandle<()>,
}

/// One request as it came.
#[derive(Clone)]
pub struct Received {
    pub headers: HeaderMap,
    pub body: Bytes,
    pub request: ExportTraceServiceRequest,
}

impl Collector {
    pub async fn start() -> Self {
        let received = Arc::<Mutex<Vec<Received>>>::default();
        let routes = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&received));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, received, serving }
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    pub fn resources(&self) -> Vec<Resource> {
        let requests = self.received().into_iter().flat_map(|received| received.request.resource_spans);
        requests.filter_map(|spans| spans.resource).collect()
    }

    pub fn spans(&self) -> Vec<Span> {
        let resources = self.received().into_iter().flat_map(|received| received.request.resource_spans);
        resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
    }

    /// Waits until so many spans have come.
    pub async fn wait_for(&self, count: usize) -> Vec<Span> {
        let deadline = Instant::now() + PATIENCE;
        while self.spans().len() < count {
            assert!(Instant::now() < deadline, "{} of {count} spans came", self.spans().len());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.spans()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(State(received): State<Arc<Mutex<Vec<Received>>>>, headers: HeaderMap, body: Bytes) {
    let request = ExportTraceServiceRequest::decode(body.clone()).unwrap();
    received.lock().unwrap().push(Received { headers, body, request });
}

/// Gives an attribute as text.
pub fn attribute(attributes: &[KeyValue], name: &str) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == name);
    match found.and_then(|attribute| attribute.value.clone()).and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{name}: {other:?}"),
    }
}

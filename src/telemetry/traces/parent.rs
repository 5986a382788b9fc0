//! The trace that a caller's work belongs to (W3C Trace Context, `traceparent`).

use std::{collections::HashMap, fmt};

use opentelemetry::{
    propagation::TextMapPropagator,
    trace::{SpanContext, SpanId, TraceContextExt, TraceId},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;

/// A caller's span, under which the spans of its document go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceParent(SpanContext);

impl TraceParent {
    /// Reads a `traceparent`; one that is malformed counts as none, as the standard asks.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let carrier = HashMap::from([("traceparent".to_owned(), text.to_owned())]);
        let context = TraceContextPropagator::new().extract(&carrier).span().span_context().clone();
        context.is_valid().then_some(Self(context))
    }

    pub(super) fn trace_id(&self) -> TraceId {
        self.0.trace_id()
    }

    pub(super) fn span_id(&self) -> SpanId {
        self.0.span_id()
    }

    /// Says whether the caller records its trace; if not, neither do we.
    pub(super) fn is_sampled(&self) -> bool {
        self.0.is_sampled()
    }
}

/// Writes it as a `traceparent`.
impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace_id(), self.span_id(), u8::from(self.is_sampled()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_read_or_counts_as_none() {
        let parent = TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();

        assert_eq!(parent.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(parent.span_id().to_string(), "b7ad6b7169203331");
        assert!(parent.is_sampled());
        for text in [
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
        ] {
            assert_eq!(TraceParent::parse(text).unwrap().to_string(), text);
        }
        for malformed in [
            "",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(TraceParent::parse(malformed), None, "{malformed}");
        }
    }
}

//! The events that everything here is measured with.

use bytes::Bytes;
use tidings::{
    broker::{Broker, MemoryBroker, Publication},
    clock::Clock,
    event::{Id, ProgressEvent, Stage},
};
use tokio::runtime::Runtime;

/// One of 512 events of 16 documents, no two with the same event id.
pub fn payload(number: usize) -> Bytes {
    let mut event = event(number);
    event.event_id = Some(Id::parse(&format!("e{number}")).expect("an id"));
    event.stamp(Clock::System.now());
    event.to_payload().expect("the event is small")
}

/// The same before it is stamped.
pub fn event(number: usize) -> ProgressEvent {
    let document = Id::parse(&format!("d{}", number % 16)).expect("an id");
    ProgressEvent::new(document, Stage::ALL[number / 16 % 6]).with_detail("page 2 of 5")
}

/// Publishes to a broker of this process, which answers at once.
pub fn publish(runtime: &Runtime, broker: &MemoryBroker, publications: &[Publication]) {
    let answers = runtime.block_on(broker.publish(publications));
    assert!(answers.iter().all(Result::is_ok));
}

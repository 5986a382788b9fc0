//! What one event costs before it is bytes on a socket: emit, parse, fold, publish, read back, tell.
//!
//!     make bench-frames
//!
//! The memory broker stands in for every broker here; a network would only hide what is measured. Where
//! REST is measured it goes over loopback, with an empty answer beside it to subtract.

mod events;
mod producers;
mod samples;
mod viewers;

use criterion::criterion_main;

criterion_main!(events::benches, producers::benches, viewers::benches);

//! A queue for laptops and tests that speaks QStash's publish API and signs as it signs.
//!
//! It owns that wire: what a publish may ask for, the retry schedule, callbacks, signatures. It is no
//! store: messages live in memory, bounded, and end with the process. What the vendor's service can and this
//! cannot is refused in words, never half done. The surprise: a callback is a message of its own, with its own retries.

mod attempt;
mod callback;
mod duplicates;
mod message;
mod publish;
mod queue;
mod refusal;
mod schedule;
mod server;
mod signer;

pub use queue::QueueSettings;
pub use server::QStashDev;
pub use signer::Signer;

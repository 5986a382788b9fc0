//! What a person sees: the page in a real browser, against the real server, on both of its hosts.
//!
//! Each test is written once and runs [`On`](crate::support::On) the binary, and on the function behind a bridge like
//! the platform's: two instances that share a Redis, a Postgres and a bucket. `cargo test --test it On__Function` runs
//! those alone. What is different there:
//!
//! | test | on the function | because |
//! | --- | --- | --- |
//! | `client/repeats.rs` | not run | the test itself writes what is answered; the server gives only the module |
//! | `client/module.rs`, its parts and its types | not run | nothing is asked of a server |
//! | `ops.rs`, a running session | one instance | the page shows the counts of the process that answers |
//! | `connection.rs`, a server that is full | one instance | each has its own limit |
//! | `retry.rs`, a refusal | said as "answered 502" | the platform stays when its instances are gone |
//! | `chat/client.rs`, `chat/talk.rs` | the message may come before pieces or notes sent before it | it has a second source, the store, and the first to tell it counts (ADR 0012) |
//! | `client/sleep.rs`, another tab has led | that tab may see a little more | what lies in Redis and not yet in the log comes behind its snapshot |
//! | `client/sharing.rs`, streams open | are waited for | a stream that was left is noticed by its next beats |
//! | tests that kill the server | all instances are killed, and others started | what has to stay is outside of them |

mod access;
mod bucket;
mod chat;
mod checklist;
mod client;
mod connection;
mod eta;
mod interruptions;
mod looks;
mod ocr;
mod ops;
mod outages;
pub mod page;
mod proof;
mod retry;
mod uploads;

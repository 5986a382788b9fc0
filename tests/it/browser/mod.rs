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

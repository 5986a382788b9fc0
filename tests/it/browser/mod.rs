//! What a person sees: the page in a real browser, against the real server.

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

//! What a person sees: the page in a real browser, against the real server.

mod bucket;
mod client;
mod interruptions;
mod looks;
mod ops;
mod outages;
mod page;
mod uploads;

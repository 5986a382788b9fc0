//! What a person sees: the page in a real browser, against the real server.

mod client;
mod interruptions;
mod looks;
mod ocr;
mod page;
mod uploads;

//! Tests against real parts: one binary, so that it is linked once.
//!
//! `broker` and `store` are the suites every backend passes; `stream` holds the seams, with paused clocks;
//! `files` puts them into a bucket; `routes` goes by URL, `promises` by what users were told, `browser` by what a person sees;
//! `telemetry` receives traces; `upstash` speaks to a server in Upstash's place.

mod broker;
mod browser;
mod files;
mod promises;
mod redis_rest;
mod routes;
mod store;
mod stream;
mod support;
mod telemetry;
mod upstash;

//! Tests against real parts: one binary, so that it is linked once.
//!
//! `analysis` measures what is found in reports; `broker`, `cache`, `store` and `chat` are the suites every backend passes; `stream` holds the seams, with paused clocks;
//! `files` puts them into a bucket; `routes` goes by URL, `promises` by what users were told, `browser` by what a person sees, of the binary and of the function;
//! `telemetry` receives traces; `fuzz` spoils what comes from outside; `upstash` speaks to a server in Upstash's place, `redis_rest` and
//! `qstash_dev` are such servers; `load` holds the load program of `benches/streams/` to what it says; `function` is the Vercel function
//! behind a bridge like the platform's, `last_mile` puts nginx between; `docs` does what the documentation
//! says.

mod analysis;
mod broker;
mod browser;
mod cache;
mod chat;
mod docs;
mod files;
mod function;
mod fuzz;
mod last_mile;
mod load;
mod promises;
mod qstash_dev;
mod redis_rest;
mod routes;
mod store;
mod stream;
mod support;
mod telemetry;
mod upstash;

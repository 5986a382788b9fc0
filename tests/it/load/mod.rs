//! The load program of `benches/streams/` counts right: what it measures is believed.

#[allow(dead_code, unused_imports, reason = "the program uses the rest")]
#[path = "../../../benches/streams/main.rs"]
mod program;

mod counts;
mod machine;
mod results;
mod wire;

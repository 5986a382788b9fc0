//! The behaviour every broker has to show, the backends that show it, and the emitter.

mod emitter;
mod memory;
mod suite;
mod upstash;
mod wake;

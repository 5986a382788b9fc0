//! The behaviour every broker has to show, and the backends that show it.

mod memory;
mod suite;

//! The behaviour every document store has to show, and the databases that show it.

mod sqlite;
mod suite;

//! The behaviour every store of messages has to show, and the databases that show it.

mod store;
mod suite;

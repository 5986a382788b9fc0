//! The behaviour every store of messages has to show, and the databases that show it.

mod answer;
mod conversation;
mod notices;
mod plan;
mod store;
mod suite;

//! The behaviour every document store has to show, and the databases that show it.

mod forgetful;
mod plan;
mod pooler;
mod postgres;
mod sqlite;
mod status_sql;
mod suite;

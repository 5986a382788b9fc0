//! The behaviour every document store has to show, and the databases that show it.

mod plan;
mod pooler;
mod postgres;
mod sqlite;
mod status_sql;
mod suite;

/// How many migrations Postgres gets.
fn migrations() -> usize {
    std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres")).unwrap().count()
}

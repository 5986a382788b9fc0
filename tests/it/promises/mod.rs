//! What users were told, proved on the built binary.

mod burst;
mod busy_database;
mod exactly_once;
mod failures;
mod first_light;
mod hostile;
mod outage;
mod postgres_outage;
mod shutdown;
mod their_statuses;
mod two_instances;

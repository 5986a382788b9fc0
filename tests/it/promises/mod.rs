//! What users were told, proved on the built binary.

mod burst;
mod busy_database;
mod exactly_once;
mod failures;
mod first_light;
mod hostile;
mod ocr;
mod ocr_worker;
mod outage;
mod shutdown;
mod two_instances;

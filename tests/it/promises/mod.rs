//! What users were told, proved on the built binary.

mod burst;
mod busy_database;
mod case_notices;
mod chat_outage;
mod churn;
mod commands;
mod emit;
mod estimates;
mod exactly_once;
mod failures;
mod first_light;
mod full_disk;
mod hostile;
mod killed_in_each_stage;
mod many_uploads;
mod moody_redis;
mod ocr;
mod ocr_worker;
mod other_patients;
mod outage;
mod postgres_outage;
mod producers;
mod refused_bodies;
mod responder;
mod shutdown;
mod silent_logs;

mod slow_connections;
mod spared_queries;
mod stopped_midway;
mod their_statuses;
mod two_instances;

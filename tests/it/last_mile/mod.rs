//! What lies between a server and its viewers: a real nginx, and what `tidings check --url` says of it.

mod check;
mod nginx;
mod rolling_restart;

//! The way to viewers: the image, a real nginx between, deployments, and what `tidings check --url` says of it all.

mod check;
mod image;
mod nginx;
mod rolling_restart;
mod whole_set_up;

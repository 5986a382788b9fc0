//! The documentation holds: its commands run, its code is code, its settings and links exist.

mod code;
mod commands;
mod links;
mod page;
mod session;
mod settings;

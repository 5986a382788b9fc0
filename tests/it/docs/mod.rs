//! The documentation holds: its commands run, also those at the head of examples, its code is code, its settings and links exist.

mod code;
mod commands;
mod examples;
mod links;
mod page;
mod session;
mod settings;

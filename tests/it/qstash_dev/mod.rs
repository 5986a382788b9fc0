//! `tidings qstash-dev`: the wire QStash documents, and the official clients as judges.

mod access;
mod check;
mod deliveries;
mod sdk;

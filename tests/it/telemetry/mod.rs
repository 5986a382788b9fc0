//! What operators are sent.

mod callers;

mod traces;

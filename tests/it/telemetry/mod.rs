//! What operators are sent.

mod traces;

//! Every seam of a stream, under a paused clock: cut, wait, return, and count.

mod chat;
mod cuts;
mod ends;
mod eta;
mod faults;
mod gaps;
mod gathered;
mod moved;
mod other_work;
mod shared;
mod world;

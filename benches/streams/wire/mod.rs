//! What goes over the wire: answers of HTTP/1.1, frames of Server-Sent Events, and the stamp each event
//! carries.

mod answer;
mod frames;
mod stamp;

pub use answer::Answer;
pub use frames::{Frame, Frames};
pub use stamp::{Stamp, now_ns};

//! The machine: which core does what, what a process uses, and what the kernel had to drop.

mod cores;
mod descriptors;
pub mod kernel;
pub mod process;
mod window;

pub use cores::Cores;
pub use descriptors::have_descriptors;
pub use kernel::{Dropped, describe, wait_for_quiet};
pub use process::{Memory, descriptors};
pub use window::{Spent, Window};

//! The `tidings` command: reads its arguments and calls the library.

use std::process::ExitCode;

/// Many tasks and buffers of a few sizes come and go: glibc's allocator takes more memory for a stream
/// (docs/adr/0023).
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // Before anything else: this child reads hostile files and must hold nothing but itself.
    if let Some(code) = tidings::answer_as_child() {
        return code;
    }
    tidings::command::main()
}

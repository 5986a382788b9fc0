//! The `tidings` command: reads its arguments and calls the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything else: this child reads hostile files and must hold nothing but itself.
    if let Some(code) = tidings::answer_as_child() {
        return code;
    }
    tidings::command::main()
}

//! The `tidings` command: reads its arguments and calls the library.

use std::process::ExitCode;

use tidings::{command, documents::text_layer};

fn main() -> ExitCode {
    // Before anything else: this child reads hostile files and must hold nothing but itself.
    if std::env::args().nth(1).as_deref() == Some(text_layer::CHILD_COMMAND) {
        return text_layer::run_child();
    }
    command::main()
}

//! The program `ticks`: see the library of the same name, which is all of it.

use std::process::ExitCode;

fn main() -> ExitCode {
    ticks::run()
}

//! The binary `aegis`. Must not know anything: all of it is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    aegis_cli::main()
}

//! The binary `aegis`. Must not know anything: all of it is in the library.

use std::process::ExitCode;

/// What is given back is wiped, whoever forgot to: buffers of connections and of parsers hold
/// secrets, too.
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> = zeroizing_alloc::ZeroAlloc(std::alloc::System);

fn main() -> ExitCode {
    aegis_cli::main()
}

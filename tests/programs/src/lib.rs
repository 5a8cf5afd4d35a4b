//! Where the programs are that tests and benchmarks put into boxes. Must not know: what they
//! do.

use std::io;
use std::path::{Path, PathBuf};

/// The program that attacks from inside, and misbehaves as agents may.
pub const ATTACKS: &str = env!("AEGIS_ATTACKS");

/// The program that loads proxies, from inside and beside.
pub const LOAD: &str = env!("AEGIS_LOAD");

/// Lays the programs into `directory`, as code for a box: the box is another user and has to
/// be able to read it.
///
/// # Errors
/// When the directory cannot be written.
pub fn lay_out(directory: &Path) -> io::Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt;

    let code = directory.join("code");
    std::fs::create_dir_all(&code)?;
    for (program, name) in [(ATTACKS, "attacks"), (LOAD, "load")] {
        std::fs::copy(program, code.join(name))?;
    }
    for path in [code.clone(), code.join("attacks"), code.join("load")] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
    }
    Ok(code)
}

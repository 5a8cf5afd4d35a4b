//! Where the programs are that tests and benchmarks put into boxes. Must not know: what they
//! do.

use std::io;
use std::path::{Path, PathBuf};

/// The program that attacks from inside, and misbehaves as agents may.
pub const ATTACKS: &str = env!("AEGIS_ATTACKS");

/// Lays the programs into `directory`, as code for a box: the box is another user and has to
/// be able to read it.
///
/// # Errors
/// When the directory cannot be written.
pub fn lay_out(directory: &Path) -> io::Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt;

    let code = directory.join("code");
    std::fs::create_dir_all(&code)?;
    std::fs::copy(ATTACKS, code.join("attacks"))?;
    for (path, mode) in [(code.clone(), 0o755), (code.join("attacks"), 0o755)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    }
    Ok(code)
}

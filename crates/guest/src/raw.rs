//! What the kernel answers to a system call that is made by its number.

use rustix::io::Errno;

/// The answer, with the kernel's reason if it is a refusal.
pub fn answer(value: libc::c_long) -> Result<(), Errno> {
    if value >= 0 {
        return Ok(());
    }
    let code = std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO);
    Err(Errno::from_raw_os_error(code))
}

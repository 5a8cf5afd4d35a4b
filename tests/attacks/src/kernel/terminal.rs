//! Attacks by terminals: typing into one as if its user had.

use crate::attack::Area::Kernel;
use crate::attack::{Attack, Outcome};
use crate::errno::Errno;
use crate::sys::{self, call};

pub const ATTACKS: &[Attack] = &[
    Attack::new(Kernel, "tiocsti", "types into a terminal as if its user had", tiocsti),
    Attack::new(Kernel, "tioclinux", "reads and pastes the selection of the console", tioclinux),
];

/// Into a terminal of its own: an agent with a terminal is under the same filter.
fn tiocsti() -> Outcome {
    match own_terminal() {
        Ok(terminal) => Outcome::refused_or("TIOCSTI", call!(SYS_ioctl, terminal, libc::TIOCSTI, b"x"), &[libc::EIO]),
        Err(errno) => Outcome::held(format!("no terminal of its own: {errno}")),
    }
}

/// The runner has made this process the leader of a session, so the terminal becomes its own on opening.
fn own_terminal() -> Result<i64, Errno> {
    let master = open(c"/dev/ptmx", libc::O_RDWR | libc::O_NOCTTY)?;
    let mut number = [0_u8; 4];
    call!(SYS_ioctl, master, libc::TIOCSPTLCK, &[0_u8; 4])?;
    call!(SYS_ioctl, master, libc::TIOCGPTN, &mut number)?;
    open(&sys::text(format!("/dev/pts/{}", u32::from_ne_bytes(number))), libc::O_RDWR)
}

fn open(path: &std::ffi::CStr, flags: i32) -> Result<i64, Errno> {
    call!(SYS_openat, libc::AT_FDCWD, path, flags | libc::O_NONBLOCK | libc::O_CLOEXEC, 0)
}

/// The code that asks which console is shown, which changes nothing.
const SHOWN_CONSOLE: [u8; 1] = [12];

/// On every console there may be, and on the standard streams.
fn tioclinux() -> Outcome {
    let consoles = [c"/dev/tty0", c"/dev/tty1", c"/dev/console", c"/dev/tty"];
    let opened = consoles.map(|path| open(path, libc::O_RDWR | libc::O_NOCTTY));
    let tries = opened.into_iter().chain([Ok(0), Ok(1), Ok(2)]).map(|terminal| {
        let mut code = SHOWN_CONSOLE;
        Outcome::failed(
            "TIOCLINUX",
            terminal.and_then(|terminal| call!(SYS_ioctl, terminal, libc::TIOCLINUX, &mut code)),
        )
    });
    Outcome::all(tries)
}

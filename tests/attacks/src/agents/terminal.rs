//! An agent that says what its terminal does: its size, its signals, its lines.
#![expect(unsafe_code, reason = "a signal handler is set by a call without a safe wrapper")]

use super::FAILED;
use crate::errno::Errno;
use crate::say;
use crate::sys::call;
use std::sync::atomic::{AtomicBool, Ordering};

static RESIZED: AtomicBool = AtomicBool::new(false);
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// What a shell says of a program that was interrupted.
const INTERRUPTED_CODE: u8 = 130;

extern "C" fn note(signal: libc::c_int) {
    let flag = if signal == libc::SIGINT { &INTERRUPTED } else { &RESIZED };
    flag.store(true, Ordering::Relaxed);
}

/// Says `isatty true` or `isatty false`, the size, and then what happens, until the input ends.
pub fn run() -> u8 {
    if watch().is_err() {
        return FAILED;
    }
    say(&format!("isatty {}", size().is_ok()));
    say_size();
    let mut waiting = Vec::new();
    loop {
        let is_readable = wait();
        if INTERRUPTED.load(Ordering::Relaxed) {
            say("interrupted");
            return INTERRUPTED_CODE;
        }
        if RESIZED.swap(false, Ordering::Relaxed) {
            say_size();
        }
        if is_readable && !read_lines(&mut waiting) {
            return 0;
        }
    }
}

/// Signals are let through only while we wait, so that none is missed between a look and the wait.
fn watch() -> Result<(), Errno> {
    for signal in [libc::SIGWINCH, libc::SIGINT] {
        // SAFETY: the handler only stores to an atomic, which is allowed at any moment.
        unsafe { libc::signal(signal, note as extern "C" fn(libc::c_int) as libc::sighandler_t) };
    }
    let both: u64 = 1 << (libc::SIGWINCH - 1) | 1 << (libc::SIGINT - 1);
    call!(SYS_rt_sigprocmask, libc::SIG_BLOCK, &both.to_ne_bytes(), 0, 8).map(drop)
}

/// Whether there is input, and not only a signal.
fn wait() -> bool {
    let mut request = [0, 0, 0, 0, libc::POLLIN as u8, 0, 0, 0];
    let none_blocked = [0_u8; 8];
    call!(SYS_ppoll, &mut request, 1, 0, &none_blocked, 8).is_ok()
}

/// Rows and columns, if the input is a terminal.
fn size() -> Result<(u16, u16), Errno> {
    let mut size = [0_u8; 8];
    call!(SYS_ioctl, 0, libc::TIOCGWINSZ, &mut size)?;
    let [a, b, c, d, ..] = size;
    Ok((u16::from_ne_bytes([a, b]), u16::from_ne_bytes([c, d])))
}

fn say_size() {
    let (rows, columns) = size().unwrap_or_default();
    say(&format!("{rows}x{columns}"));
}

/// Echoes every whole line; false at the end of the input.
fn read_lines(waiting: &mut Vec<u8>) -> bool {
    let mut buffer = [0_u8; 4096];
    let length = match call!(SYS_read, 0, &mut buffer, 4096) {
        Ok(length) => usize::try_from(length).unwrap_or(0),
        Err(_) => return false,
    };
    waiting.extend(buffer.iter().take(length));
    whole_lines(waiting).iter().for_each(|line| say(&format!("line:{line}")));
    length > 0
}

/// Takes the whole lines out of what is waiting.
fn whole_lines(waiting: &mut Vec<u8>) -> Vec<String> {
    let Some(end) = waiting.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
    let rest = waiting.split_off(end + 1);
    let whole = std::mem::replace(waiting, rest);
    String::from_utf8_lossy(&whole).lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::whole_lines;

    #[test]
    fn a_line_waits_for_its_end() {
        let mut waiting = b"one\ntwo\r\nthr".to_vec();
        assert_eq!(whole_lines(&mut waiting), ["one", "two"]);
        assert_eq!(waiting, b"thr");
        assert!(whole_lines(&mut waiting).is_empty());
    }
}

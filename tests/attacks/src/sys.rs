//! System calls. Owns every raw entry into the kernel that more than one attack needs, so that attacks are safe code.
#![expect(unsafe_code, reason = "raw system calls are what this file is for")]

use crate::errno::Errno;
use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// One argument of a system call.
pub enum Arg<'a> {
    /// A plain number; never the address of anything.
    Number(i64),
    /// A text that the kernel reads.
    Text(&'a CStr),
    /// Bytes that the kernel reads.
    Bytes(&'a [u8]),
    /// Bytes that the kernel may write.
    Buffer(&'a mut [u8]),
}

macro_rules! number_arguments {
    ($($kind:ty)*) => { $(impl From<$kind> for Arg<'_> {
        fn from(number: $kind) -> Self {
            Self::Number(number as i64)
        }
    })* };
}

number_arguments! { i32 u32 i64 u64 usize }

impl<'a> From<&'a CStr> for Arg<'a> {
    fn from(text: &'a CStr) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a CString> for Arg<'a> {
    fn from(text: &'a CString) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Arg<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Arg<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a> From<&'a mut [u8]> for Arg<'a> {
    fn from(buffer: &'a mut [u8]) -> Self {
        Self::Buffer(buffer)
    }
}

impl<'a, const N: usize> From<&'a mut [u8; N]> for Arg<'a> {
    fn from(buffer: &'a mut [u8; N]) -> Self {
        Self::Buffer(buffer)
    }
}

impl Arg<'_> {
    fn word(&mut self) -> i64 {
        match self {
            Self::Number(number) => *number,
            Self::Text(text) => text.as_ptr() as i64,
            Self::Bytes(bytes) => bytes.as_ptr() as i64,
            Self::Buffer(buffer) => buffer.as_mut_ptr() as i64,
        }
    }
}

/// Makes a system call by its number. Not for calls that change the memory or the stack of the caller.
pub fn invoke(number: i64, arguments: &mut [Arg<'_>]) -> Result<i64, Errno> {
    let mut words = [0_i64; 6];
    for (word, argument) in words.iter_mut().zip(arguments) {
        *word = argument.word();
    }
    let [a, b, c, d, e, f] = words;
    // SAFETY: every address is that of a borrow that outlives the call, and only a `Buffer` is written to; the
    // lengths passed beside them are those of the borrows.
    let result = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    if result < 0 { Err(last_errno()) } else { Ok(result) }
}

/// `call!(SYS_name, argument, …)`: the system call with that name.
macro_rules! call {
    ($number:ident $(, $argument:expr)* $(,)?) => {
        $crate::sys::invoke(libc::$number, &mut [$($crate::sys::Arg::from($argument)),*])
    };
}
pub(crate) use call;

fn last_errno() -> Errno {
    Errno::from(std::io::Error::last_os_error())
}

/// The path as the kernel wants it; a path with a NUL inside becomes the empty one, which names nothing.
pub fn text(path: impl AsRef<Path>) -> CString {
    CString::new(path.as_ref().as_os_str().as_bytes()).unwrap_or_default()
}

/// Ends this process at once: a forked child must not run what its parent registered.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: `_exit` has no preconditions and does not return.
    unsafe { libc::_exit(code) }
}

/// Runs `work` in a forked child, which then ends with the returned code. Answers the child's process id.
pub fn fork(work: impl FnOnce() -> i32) -> Result<i32, Errno> {
    // SAFETY: this program has one thread wherever it forks, so the child may do whatever its parent could.
    match unsafe { libc::fork() } {
        0 => exit_now(work()),
        child if child > 0 => Ok(child),
        _ => Err(last_errno()),
    }
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It ended itself.
    Exit(i32),
    /// A signal ended it.
    Signal(i32),
}

/// Waits for `child`.
pub fn wait(child: i32) -> Result<Ended, Errno> {
    loop {
        match wait_with(child, 0) {
            Ok(Some(ended)) => return Ok(ended),
            Ok(None) | Err(Errno(libc::EINTR)) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// How `child` ended, if it already has.
pub fn ended(child: i32) -> Result<Option<Ended>, Errno> {
    wait_with(child, libc::WNOHANG)
}

fn wait_with(child: i32, flags: i32) -> Result<Option<Ended>, Errno> {
    let mut status = [0_u8; 4];
    let waited = call!(SYS_wait4, child, &mut status, flags, 0)?;
    let status = i32::from_ne_bytes(status);
    Ok(match status {
        _ if waited == 0 => None,
        _ if libc::WIFEXITED(status) => Some(Ended::Exit(libc::WEXITSTATUS(status))),
        _ if libc::WIFSIGNALED(status) => Some(Ended::Signal(libc::WTERMSIG(status))),
        _ => None,
    })
}

/// A pipe: the end to read, the end to write; both closed on exec.
pub fn pipe() -> Result<(i32, i32), Errno> {
    let mut ends = [0_u8; 8];
    call!(SYS_pipe2, &mut ends, libc::O_CLOEXEC)?;
    let [a, b, c, d, e, f, g, h] = ends;
    Ok((i32::from_ne_bytes([a, b, c, d]), i32::from_ne_bytes([e, f, g, h])))
}

/// Closes a descriptor that was got by number; that it is already closed is no error.
pub fn close(descriptor: i64) {
    _ = call!(SYS_close, descriptor);
}

/// Whether `descriptor` becomes ready for `events` in time.
pub fn becomes_ready(descriptor: i64, events: i16, limit_ms: i64) -> Result<bool, Errno> {
    let mut request = [0_u8; 8];
    request[..4].copy_from_slice(&(descriptor as i32).to_ne_bytes());
    request[4..6].copy_from_slice(&events.to_ne_bytes());
    Ok(call!(SYS_poll, &mut request, 1, limit_ms)? > 0)
}

/// The time of a clock.
pub fn clock_ns(clock: i32) -> i64 {
    let mut time = [0_u8; 16];
    if call!(SYS_clock_gettime, clock, &mut time).is_err() {
        return 0;
    }
    let [seconds, nanoseconds] = words(&time);
    seconds * 1_000_000_000 + nanoseconds
}

/// Sleeps.
pub fn sleep_ms(duration_ms: i64) {
    let time = bytes_of([duration_ms / 1000, duration_ms % 1000 * 1_000_000]);
    _ = call!(SYS_clock_nanosleep, libc::CLOCK_MONOTONIC, 0, time.as_slice(), 0);
}

/// Sleeps until the process is ended.
pub fn sleep_forever() -> ! {
    loop {
        sleep_ms(3_600_000);
    }
}

/// The bytes of a structure made of 64-bit words.
pub fn bytes_of<const N: usize>(words: [i64; N]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// The first words of a structure made of 64-bit words; what is missing is zero.
pub fn words<const N: usize>(bytes: &[u8]) -> [i64; N] {
    let mut words = [0; N];
    for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = chunk.iter().rev().fold(0, |value, byte| value << 8 | i64::from(*byte));
    }
    words
}

/// Replaces this process by a program with an empty environment. Comes back only with the reason why not.
pub fn execute(directory: i64, path: &CStr, flags: i32, arguments: &[&CStr]) -> Errno {
    let mut pointers: Vec<*const libc::c_char> = arguments.iter().map(|argument| argument.as_ptr()).collect();
    pointers.push(std::ptr::null());
    let environment = [std::ptr::null::<libc::c_char>()];
    // SAFETY: both arrays end with a null pointer, and they and what they point to outlive the call.
    unsafe {
        libc::syscall(libc::SYS_execveat, directory, path.as_ptr(), pointers.as_ptr(), environment.as_ptr(), flags)
    };
    last_errno()
}

/// The exit code of a child that could not execute has this bit, and the error beside it.
const NOT_EXECUTED: i32 = 0x80;

/// Executes a program in a child and waits for it.
pub fn run(directory: i64, path: &CStr, arguments: &[&CStr]) -> Result<Ended, Errno> {
    let child = fork(|| NOT_EXECUTED | execute(directory, path, libc::AT_EMPTY_PATH, arguments).0)?;
    match wait(child)? {
        Ended::Exit(code) if code & NOT_EXECUTED != 0 => Err(Errno(code & !NOT_EXECUTED)),
        ended => Ok(ended),
    }
}

#[cfg(test)]
mod tests {
    use super::{Ended, bytes_of, exit_now, fork, wait, words};

    #[test]
    fn words_and_bytes_are_inverse() {
        assert_eq!(words::<3>(&bytes_of([1, -2, i64::MIN])), [1, -2, i64::MIN]);
        assert_eq!(words::<2>(&bytes_of([7])), [7, 0]);
    }

    #[test]
    fn a_child_ends_with_the_code_of_its_work() {
        let child = fork(|| exit_now(7)).expect("a child can be forked");
        assert_eq!(wait(child), Ok(Ended::Exit(7)));
    }
}

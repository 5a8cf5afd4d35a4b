//! Files in and out of the box. The work is done by a process of its own, which has no more
//! rights than a program of the box and may wait as long as it likes; a path is walked by
//! the kernel and cannot lead out of the box's directory, whatever links are put in its way.
#![expect(unsafe_code, reason = "the process that works is a copy of this one")]

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

use crate::raw::answer;
use aegis_door::{Ended, FileFailure};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// Bytes moved at once.
const PIECE_BYTES: usize = 64 * 1024;

/// What is to be done.
pub enum Work {
    /// Send a file.
    Read {
        /// Which.
        path: String,
        /// The most it may be.
        bytes_max: u64,
    },
    /// Take a file.
    Write {
        /// Which.
        path: String,
        /// How many bytes come.
        bytes: u64,
        /// Whether it can be executed.
        executable: bool,
    },
}

/// Exit codes of the process that works, from 1 on, and what each of them says.
const FAILURES: [FileFailure; 7] = [
    FileFailure::NotFound,
    FileFailure::LeadsOut,
    FileFailure::NotAFile,
    FileFailure::TooLarge,
    FileFailure::Full,
    FileFailure::Refused,
    FileFailure::CutShort,
];

/// Exit codes from here on are what the kernel said.
const ERRNOS_FROM: i32 = 64;

/// Begins the work in a process of its own, below `directory`.
pub fn begin(work: &Work, directory: &str, door: Vec<OwnedFd>) -> Result<i32, Errno> {
    let Some(door) = door.into_iter().next() else { return Err(Errno::BADF) };
    // SAFETY: this process has one thread, so the copy is as whole as the original.
    let pid = unsafe { libc::fork() };
    answer(pid.into())?;
    if pid > 0 {
        return Ok(pid);
    }
    let code = match perform(work, directory, &door) {
        Ok(()) => 0,
        Err(failure) => code(failure),
    };
    // SAFETY: ends the copy without running anything of the original's.
    unsafe { libc::_exit(code) }
}

/// What the end of the process says of its work.
pub fn failure(ended: Ended) -> Option<FileFailure> {
    match ended {
        Ended::Code(0) => None,
        Ended::Code(code) => {
            let code = i32::from(code);
            let known = usize::try_from(code - 1).ok().and_then(|index| FAILURES.get(index));
            Some(known.copied().unwrap_or(FileFailure::Other(code - ERRNOS_FROM)))
        }
        Ended::Signal(_) => Some(FileFailure::CutShort),
    }
}

fn code(failure: FileFailure) -> i32 {
    match failure {
        FileFailure::Other(errno) => (ERRNOS_FROM + errno).clamp(ERRNOS_FROM, 255),
        known => FAILURES
            .iter()
            .position(|failure| *failure == known)
            .map_or(ERRNOS_FROM, |index| i32::try_from(index + 1).unwrap_or(ERRNOS_FROM)),
    }
}

fn perform(work: &Work, directory: &str, door: &OwnedFd) -> Result<(), FileFailure> {
    // The stream was made for the pumps, which never wait. This process does.
    let flags = rustix::fs::fcntl_getfl(door).map_err(said)?;
    rustix::fs::fcntl_setfl(door, flags & !OFlags::NONBLOCK).map_err(said)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let below = rustix::fs::openat(CWD, directory, flags, Mode::empty()).map_err(said)?;
    match work {
        Work::Read { path, bytes_max } => send(&below, path, *bytes_max, door),
        Work::Write { path, bytes, executable } => take(&below, path, *bytes, *executable, door),
    }
}

/// Opens below `below`: no way up, no absolute link, no magic link.
fn open(below: BorrowedFd<'_>, path: &Path, flags: OFlags, mode: Mode) -> Result<OwnedFd, FileFailure> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(below, path, flags | OFlags::CLOEXEC, mode, resolve).map_err(said)
}

fn send(below: &OwnedFd, path: &str, bytes_max: u64, door: &OwnedFd) -> Result<(), FileFailure> {
    // A pipe with no writer must not hold this up.
    let file = open(below.as_fd(), Path::new(path), OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty())?;
    let about = rustix::fs::fstat(&file).map_err(said)?;
    if FileType::from_raw_mode(about.st_mode) != FileType::RegularFile {
        return Err(FileFailure::NotAFile);
    }
    if u64::try_from(about.st_size).unwrap_or(u64::MAX) > bytes_max {
        return Err(FileFailure::TooLarge);
    }
    // It may grow while it is read.
    move_bytes(&file, door, bytes_max).map(|_| ())
}

fn take(below: &OwnedFd, path: &str, bytes: u64, executable: bool, door: &OwnedFd) -> Result<(), FileFailure> {
    let path = Path::new(path);
    let name = path.file_name().ok_or(FileFailure::NotAFile)?;
    let parent = make_parents(below, path.parent().unwrap_or(Path::new("")))?;
    let mode = Mode::from_raw_mode(if executable { 0o755 } else { 0o644 });
    let hidden = format!(".aegis-{}", std::process::id());
    let file = open(parent.as_fd(), Path::new(&hidden), OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL, mode)?;
    let written = move_bytes(door, &file, bytes).and_then(|moved| {
        if moved < bytes {
            return Err(FileFailure::CutShort);
        }
        rustix::fs::renameat(&parent, hidden.as_str(), &parent, name).map_err(said)
    });
    if written.is_err() {
        let _ = rustix::fs::unlinkat(&parent, hidden.as_str(), AtFlags::empty());
    }
    written
}

/// The directory of that path, made where it is not there.
fn make_parents(below: &OwnedFd, path: &Path) -> Result<OwnedFd, FileFailure> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let mut at = open(below.as_fd(), Path::new("."), flags, Mode::empty())?;
    for part in path.components() {
        let Component::Normal(name) = part else { return Err(FileFailure::LeadsOut) };
        match rustix::fs::mkdirat(&at, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(said(errno)),
        }
        at = open(at.as_fd(), Path::new(name), flags, Mode::empty())?;
    }
    Ok(at)
}

/// Moves bytes until there are no more of them, and refuses to move more than `most`.
fn move_bytes(from: &OwnedFd, to: &OwnedFd, most: u64) -> Result<u64, FileFailure> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut moved = 0_u64;
    loop {
        let taken = rustix::io::retry_on_intr(|| rustix::io::read(from, &mut piece)).map_err(said)?;
        if taken == 0 {
            return Ok(moved);
        }
        moved = moved.saturating_add(u64::try_from(taken).unwrap_or(u64::MAX));
        if moved > most {
            return Err(FileFailure::TooLarge);
        }
        let mut rest = piece.get(..taken).unwrap_or_default();
        while !rest.is_empty() {
            let written = rustix::io::retry_on_intr(|| rustix::io::write(to, rest)).map_err(said)?;
            rest = rest.get(written..).unwrap_or_default();
        }
    }
}

fn said(errno: Errno) -> FileFailure {
    match errno {
        Errno::NOENT | Errno::NOTDIR => FileFailure::NotFound,
        // The kernel's word for a way out.
        Errno::XDEV | Errno::LOOP => FileFailure::LeadsOut,
        Errno::ISDIR | Errno::NXIO => FileFailure::NotAFile,
        Errno::NOSPC | Errno::DQUOT => FileFailure::Full,
        Errno::ACCESS | Errno::PERM | Errno::ROFS => FileFailure::Refused,
        Errno::PIPE => FileFailure::CutShort,
        other => FileFailure::Other(other.raw_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_survives_the_exit_code() {
        for failed in FAILURES.into_iter().chain([FileFailure::Other(5), FileFailure::Other(133)]) {
            let code = u8::try_from(code(failed)).unwrap();
            assert_eq!(failure(Ended::Code(code)), Some(failed));
        }
        assert_eq!(failure(Ended::Code(0)), None);
        assert_eq!(failure(Ended::Signal(9)), Some(FileFailure::CutShort));
    }
}

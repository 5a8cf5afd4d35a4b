//! Opening files that should not open. Owns what counts as masked, empty or leaking.

use crate::attack::Outcome;
use crate::errno::Errno;
use crate::sys::{self, call, words};
use crate::walk::Walk;
use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::ops::ControlFlow;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

/// How much of a directory is searched for something that can be read.
const SEARCH: Walk = Walk { depth: 3, entries_max: 2_000, skip: &[] };

/// Opens for reading or writing, without waiting for a peer, taking a terminal or following a link.
pub fn open(path: &Path, is_write: bool) -> Result<File, Errno> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    Ok(OpenOptions::new().read(!is_write).write(is_write).custom_flags(flags).open(path)?)
}

/// What is covered by `/dev/null`, as masks are.
fn is_masked(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.rdev() == libc::makedev(1, 3))
}

/// Held if nothing can be read at `path`, be it a file or a directory of files.
pub fn readable(path: &str) -> Outcome {
    match std::fs::metadata(path) {
        Err(error) => Outcome::held(format!("{path}: {}", Errno::from(error))),
        Ok(metadata) if metadata.is_dir() => readable_below(path),
        Ok(_) => readable_file(Path::new(path)),
    }
}

fn readable_below(root: &str) -> Outcome {
    if let Err(error) = std::fs::read_dir(root) {
        return Outcome::held(format!("{root}: {}", Errno::from(error)));
    }
    let mut leak = None;
    SEARCH.visit(root, |path, kind| {
        let outcome = if kind.is_file() { readable_file(path) } else { return ControlFlow::Continue(()) };
        if outcome.held {
            return ControlFlow::Continue(());
        }
        leak = Some(outcome);
        ControlFlow::Break(())
    });
    leak.unwrap_or_else(|| Outcome::held(format!("{root}: nothing to read in it")))
}

/// The bytes themselves are of no interest.
fn readable_file(path: &Path) -> Outcome {
    let shown = path.display();
    let mut bytes = [0_u8; 64];
    match open(path, false).and_then(|mut file| if is_masked(&file) { Ok(0) } else { Ok(file.read(&mut bytes)?) }) {
        Ok(0) => Outcome::held(format!("{shown}: masked or empty")),
        Ok(length) => Outcome::broken(format!("{shown}: read {length} bytes")),
        Err(errno) => Outcome::held(format!("{shown}: {errno}")),
    }
}

/// Held if the file cannot even be opened. Nothing is read or written.
pub fn opens(path: &str, is_write: bool) -> Outcome {
    match open(Path::new(path), is_write) {
        Ok(file) if is_masked(&file) => Outcome::held(format!("{path}: masked")),
        // A program that runs could be written as soon as it does not.
        Err(errno @ Errno(libc::ETXTBSY)) => Outcome::broken(format!("{path}: {errno}, so it may be written")),
        result => Outcome::failed(path, result),
    }
}

/// The flags of the mount that `path` is on, as `statfs` tells them.
pub fn mount_flags(path: &str) -> Result<i64, Errno> {
    let mut statistics = [0_u8; 120];
    call!(SYS_statfs, &sys::text(path), &mut statistics)?;
    let [.., flags]: [i64; 11] = words(&statistics);
    Ok(flags)
}

/// Which file a path leads to: the device and the number of it there.
pub fn place(path: impl AsRef<Path>) -> Result<(u64, u64), Errno> {
    let metadata = std::fs::metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// The number of an open file, for a system call.
pub fn number(file: &File) -> i64 {
    file.as_raw_fd().into()
}

//! Attacks that change what is read-only: every way to write, in each of the directories a box shows.
//! On a host that lets them, each one undoes itself, or changes what is there to what is there.

use crate::attack::Area::Files;
use crate::attack::{Attack, Outcome};
use crate::errno::Errno;
use crate::sys::{self, call};
use std::ffi::CString;
use std::fs::{DirEntry, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

pub const ATTACKS: &[Attack] = &[
    Attack::new(Files, "write-root", "writes in /", || attack("/")),
    Attack::new(Files, "write-usr", "writes in /usr", || attack("/usr")),
    Attack::new(Files, "write-programs", "writes in /usr/bin", || attack("/usr/bin")),
    Attack::new(Files, "write-etc", "writes in /etc", || attack("/etc")),
    Attack::new(Files, "write-bin", "writes in /bin", || attack("/bin")),
    Attack::new(Files, "write-lib", "writes in /lib", || attack("/lib")),
    Attack::new(Files, "write-app", "writes in /app", || attack("/app")),
    Attack::new(Files, "overwrite-program", "writes the program it runs from", overwrite_program),
];

/// What a read-only place says, beside a plain refusal.
const UNCHANGED: &[i32] = &[libc::EROFS, libc::EXDEV, libc::EBUSY, libc::ENOENT, libc::ENOTDIR, libc::EOPNOTSUPP];

fn refused<T>(what: &str, result: Result<T, Errno>) -> Outcome {
    Outcome::refused_or(what, result, UNCHANGED)
}

fn attack(directory: &str) -> Outcome {
    let root = Path::new(directory);
    if let Err(error) = std::fs::metadata(root) {
        return Outcome::held(format!("{directory}: {}", Errno::from(error)));
    }
    let entries: Vec<DirEntry> = std::fs::read_dir(root).into_iter().flatten().flatten().collect();
    let mut tries = vec![creates(root), creates_directory(root), creates_link(root), changes_mode(root)];
    if let Some(file) = first(&entries, |metadata| metadata.is_file()) {
        tries.extend([opens(&file), changes_mode(&file), tags(&file), links(&file, root)]);
        // Whoever may change the owner would take the setuid bit away by it, even where the owner stays.
        tries.extend((!crate::process::is_privileged()).then(|| changes_owner(&file)));
    }
    if let [first, second, ..] = directories(&entries).as_slice() {
        tries.extend([removes(first), renames(first, second)]);
    }
    Outcome::all(tries)
}

fn first(entries: &[DirEntry], wanted: fn(&Metadata) -> bool) -> Option<PathBuf> {
    entries.iter().find(|entry| entry.metadata().is_ok_and(|metadata| wanted(&metadata))).map(DirEntry::path)
}

/// Directories with something in them: those can neither be removed nor replaced, not even by who may.
fn directories(entries: &[DirEntry]) -> Vec<PathBuf> {
    let is_full = |path: &PathBuf| std::fs::read_dir(path).is_ok_and(|mut content| content.next().is_some());
    let directories = entries.iter().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    directories.map(DirEntry::path).filter(is_full).take(2).collect()
}

/// A name that nobody else uses.
fn fresh(root: &Path) -> PathBuf {
    root.join(format!(".attack-{}", std::process::id()))
}

fn creates(root: &Path) -> Outcome {
    let path = fresh(root);
    let created = std::fs::File::create_new(&path).map_err(Errno::from);
    if created.is_ok() {
        _ = std::fs::remove_file(&path);
    }
    refused("create", created)
}

fn creates_directory(root: &Path) -> Outcome {
    let path = fresh(root);
    let created = std::fs::create_dir(&path).map_err(Errno::from);
    if created.is_ok() {
        _ = std::fs::remove_dir(&path);
    }
    refused("mkdir", created)
}

fn creates_link(root: &Path) -> Outcome {
    let path = fresh(root);
    let created = std::os::unix::fs::symlink("/", &path).map_err(Errno::from);
    if created.is_ok() {
        _ = std::fs::remove_file(&path);
    }
    refused("symlink", created)
}

/// To the mode it has.
fn changes_mode(path: &Path) -> Outcome {
    let changed = std::fs::metadata(path).and_then(|metadata| std::fs::set_permissions(path, metadata.permissions()));
    refused("chmod", changed.map_err(Errno::from))
}

/// To the owner it has.
fn changes_owner(path: &Path) -> Outcome {
    let changed = std::fs::metadata(path)
        .and_then(|metadata| std::os::unix::fs::chown(path, Some(metadata.uid()), Some(metadata.gid())));
    refused("chown", changed.map_err(Errno::from))
}

/// Not truncated, and nothing is written.
fn opens(path: &Path) -> Outcome {
    refused("open for writing", super::opening::open(path, true))
}

/// An attribute that is taken away again.
fn tags(path: &Path) -> Outcome {
    let file = sys::text(path);
    let result = call!(SYS_setxattr, &file, c"user.attack", b"x", 1, 0);
    if result.is_ok() {
        _ = call!(SYS_removexattr, &file, c"user.attack");
    }
    refused("setxattr", result)
}

/// A second name beside the first, and one where the agent may write: a hard link shares the file itself.
fn links(file: &Path, root: &Path) -> Outcome {
    let names = [fresh(root), fresh(Path::new("/workspace")), fresh(Path::new("/tmp"))];
    Outcome::all(names.into_iter().map(|name| {
        let linked = std::fs::hard_link(file, &name).map_err(Errno::from);
        if linked.is_ok() {
            _ = std::fs::remove_file(&name);
        }
        refused("link", linked)
    }))
}

fn removes(directory: &Path) -> Outcome {
    refused("rmdir", std::fs::remove_dir(directory).map_err(Errno::from))
}

fn renames(directory: &Path, onto: &Path) -> Outcome {
    let [from, onto]: [CString; 2] = [sys::text(directory), sys::text(onto)];
    let renamed = call!(SYS_renameat2, libc::AT_FDCWD, &from, libc::AT_FDCWD, &onto, 0);
    refused("rename", renamed)
}

fn overwrite_program() -> Outcome {
    refused("/proc/self/exe", super::opening::open(Path::new("/proc/self/exe"), true))
}

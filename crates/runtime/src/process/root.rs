//! What a box sees as `/`: a directory of ours with nothing in it but places and a few small
//! files, and what is mounted on the places. Made once per kind of root, shared read-only by
//! all boxes. Must not know: namespaces, mounts.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use aegis_door::{Mount, Source};
use aegis_model::boxes::RootPlan;

/// The user and group the box sees itself as.
pub const BOX_ID: u32 = 1_000;

/// The devices of a box.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// What a root has at its top beside what it brings.
const PLACES: [&str; 9] = ["app", "dev", "etc", "proc", "run", "sys", "tmp", "var", "workspace"];

/// What a directory that is given as a root may not bring: these are the box's own.
const OWN: [&str; 7] = ["app", "dev", "proc", "run", "sys", "tmp", "workspace"];

/// Where a host keeps what programs are made of, beside `/usr` or as a way into it.
const PROGRAM_PLACES: [&str; 6] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// Files of the host's `/etc` that programs look for and that tell nothing of the host.
const HOST_SETTINGS: [&str; 6] = ["ld.so.cache", "localtime", "mime.types", "protocols", "services", "ssl/openssl.cnf"];
/// Directories of the host's `/etc` of the same kind.
const HOST_SETTING_DIRECTORIES: [&str; 2] = ["alternatives", "ssl/certs"];

/// What programs ask the kernel for through files: which processors there are.
const PROCESSORS: [&str; 3] = ["online", "possible", "present"];

/// A root that is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// The directory that becomes `/`.
    pub directory: PathBuf,
    /// What is mounted on its places.
    pub mounts: Vec<Mount>,
}

/// Makes a root in `directory`, which is not there yet.
pub fn make(directory: &Path, plan: &RootPlan) -> io::Result<Root> {
    fs::create_dir_all(directory)?;
    open_to_all(directory)?;
    for place in PLACES {
        place_in(directory, place)?;
    }
    place_in(directory, "var/empty")?;
    symlink("../tmp", directory.join("var/tmp"))?;
    make_devices(directory)?;
    make_processors(directory)?;
    let mut mounts = match plan {
        RootPlan::Host => host(directory)?,
        RootPlan::Directory(root) => given(directory, root)?,
    };
    mounts.extend(
        DEVICES
            .map(|device| Mount { target: format!("/dev/{device}"), source: Source::Device(format!("/dev/{device}")) }),
    );
    Ok(Root { directory: directory.to_owned(), mounts })
}

/// The host's own programs.
fn host(directory: &Path) -> io::Result<Vec<Mount>> {
    let mut mounts = vec![show(directory, Path::new("/usr"), "usr")?];
    for place in PROGRAM_PLACES {
        let of_host = Path::new("/").join(place);
        let Ok(about) = of_host.symlink_metadata() else { continue };
        if about.is_symlink() {
            symlink(fs::read_link(&of_host)?, directory.join(place))?;
        } else {
            mounts.push(show(directory, &of_host, place)?);
        }
    }
    make_settings(directory)?;
    for setting in HOST_SETTINGS {
        let of_host = Path::new("/etc").join(setting);
        if of_host.is_file() {
            file_in(directory, &format!("etc/{setting}"), &fs::read(of_host)?)?;
        }
    }
    for setting in HOST_SETTING_DIRECTORIES {
        let of_host = Path::new("/etc").join(setting);
        if of_host.is_dir() {
            mounts.push(show(directory, &of_host, &format!("etc/{setting}"))?);
        }
    }
    Ok(mounts)
}

/// A directory that brings its own programs.
fn given(directory: &Path, root: &Path) -> io::Result<Vec<Mount>> {
    let mut mounts = Vec::new();
    let brings_settings = root.join("etc").is_dir();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if OWN.contains(&name.as_str()) || name == "var" {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            symlink(fs::read_link(entry.path())?, directory.join(&name))?;
        } else if kind.is_dir() {
            mounts.push(show(directory, &entry.path(), &name)?);
        } else if kind.is_file() {
            file_in(directory, &name, b"")?;
            let source = Source::File(entry.path().to_string_lossy().into_owned());
            mounts.push(Mount { target: format!("/{name}"), source });
        }
    }
    if !brings_settings {
        make_settings(directory)?;
    }
    Ok(mounts)
}

/// The little that programs expect in `/etc`.
fn make_settings(directory: &Path) -> io::Result<()> {
    let files = [
        (
            "passwd",
            format!("agent:x:{BOX_ID}:{BOX_ID}:agent:/workspace:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"),
        ),
        ("group", format!("agent:x:{BOX_ID}:\nnogroup:x:65534:\n")),
        ("hosts", "127.0.0.1 localhost box\n::1 localhost\n".to_owned()),
        ("hostname", "box\n".to_owned()),
        ("resolv.conf", "nameserver 127.0.0.1\noptions timeout:2 attempts:1\n".to_owned()),
        ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\nservices: files\n".to_owned()),
    ];
    files.iter().try_for_each(|(name, text)| file_in(directory, &format!("etc/{name}"), text.as_bytes()))
}

fn make_devices(directory: &Path) -> io::Result<()> {
    for device in DEVICES {
        file_in(directory, &format!("dev/{device}"), b"")?;
    }
    place_in(directory, "dev/pts")?;
    place_in(directory, "dev/shm")?;
    let links = [
        ("pts/ptmx", "ptmx"),
        ("/proc/self/fd", "fd"),
        ("/proc/self/fd/0", "stdin"),
        ("/proc/self/fd/1", "stdout"),
        ("/proc/self/fd/2", "stderr"),
    ];
    links.iter().try_for_each(|(to, name)| symlink(to, directory.join("dev").join(name)))
}

fn make_processors(directory: &Path) -> io::Result<()> {
    for file in PROCESSORS {
        let path = format!("sys/devices/system/cpu/{file}");
        if let Ok(text) = fs::read(Path::new("/").join(&path)) {
            file_in(directory, &path, &text)?;
        }
    }
    Ok(())
}

/// A place, and what is to be seen there.
fn show(directory: &Path, what: &Path, place: &str) -> io::Result<Mount> {
    place_in(directory, place)?;
    let source = Source::Directory(what.to_string_lossy().into_owned());
    Ok(Mount { target: format!("/{place}"), source })
}

fn place_in(directory: &Path, place: &str) -> io::Result<()> {
    let mut path = directory.to_owned();
    for part in Path::new(place) {
        path.push(part);
        fs::create_dir_all(&path)?;
        open_to_all(&path)?;
    }
    Ok(())
}

fn file_in(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    if let Some((place, _)) = name.rsplit_once('/') {
        place_in(directory, place)?;
    }
    let path = directory.join(name);
    fs::write(&path, bytes)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444))
}

/// Whatever the server's mask is: the box is another user.
fn open_to_all(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

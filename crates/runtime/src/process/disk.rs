//! A file system of a fixed size for each box: a sparse file with ext4 in it, attached to
//! nothing but the box that gets it. It has no name anywhere: when the box is gone, and when
//! the server is, it is gone too. Where the machine cannot do this, a box gets memory.
#![expect(unsafe_code, reason = "loop devices are controlled by calls without safe wrappers")]

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use rustix::fs::{AtFlags, Gid, Uid};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};

/// Smaller than this no file system can be.
const BYTES_MIN: u64 = 1024 * 1024;

/// Another process may take the free loop device first; then there is another one.
const LOOP_TRIES: usize = 64;

const LOOP_CTL_GET_FREE: libc::c_ulong = 0x4C82;
const LOOP_CONFIGURE: libc::c_ulong = 0x4C0A;
/// The device frees itself with its last user.
const AUTOCLEAR: u32 = 4;
/// What is written goes past the host's cache: the box's own holds it already, and copying it
/// once more is work that the box does not pay for. Where the directory cannot do this, the
/// kernel does without.
const DIRECT_IO: u32 = 16;

/// What the kernel takes to set up a loop device.
#[repr(C)]
struct LoopConfig {
    descriptor: u32,
    block_size: u32,
    device: u64,
    inode: u64,
    real_device: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encryption: u32,
    key_size: u32,
    flags: u32,
    names: [u8; 128],
    key: [u8; 32],
    rest: [u64; 2],
    reserved: [u64; 8],
}

/// Makes file systems.
#[derive(Debug)]
pub struct Disks {
    directory: PathBuf,
    /// One maker of templates at a time.
    templates: Mutex<()>,
}

impl Disks {
    /// Keeps its templates in `directory`; tries once whether it works here.
    ///
    /// # Errors
    /// In words, why not.
    pub fn open(directory: &Path) -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("only root attaches file systems".to_owned());
        }
        fs::create_dir_all(directory).map_err(|error| error.to_string())?;
        let disks = Self { directory: directory.to_owned(), templates: Mutex::new(()) };
        disks.make(BYTES_MIN, 0).map_err(|error| error.to_string())?;
        Ok(disks)
    }

    /// A new file system of that size, whose root belongs to `owner`.
    pub fn make(&self, bytes: u64, owner: u32) -> io::Result<OwnedFd> {
        let bytes = bytes.max(BYTES_MIN).next_multiple_of(4_096);
        let template = self.template(bytes)?;
        let image = OpenOptions::new().read(true).write(true).custom_flags(libc::O_TMPFILE).open(&self.directory)?;
        image.set_len(bytes)?;
        copy_data(&template, &image)?;
        let mounted = attach(&image)?;
        rustix::fs::chownat(&mounted, "", Some(Uid::from_raw(owner)), Some(Gid::from_raw(owner)), AtFlags::EMPTY_PATH)?;
        Ok(mounted)
    }

    /// An empty file system of that size to copy from.
    fn template(&self, bytes: u64) -> io::Result<File> {
        let _making = self.templates.lock().map_err(|_| io::Error::other("a template could not be made"))?;
        let path = self.directory.join(format!("template-{bytes}"));
        if let Ok(file) = File::open(&path) {
            return Ok(file);
        }
        let unfinished = self.directory.join(format!("template-{bytes}.new"));
        File::create(&unfinished)?.set_len(bytes)?;
        format(&unfinished)?;
        fs::rename(&unfinished, &path)?;
        File::open(&path)
    }
}

#[expect(clippy::disallowed_methods, reason = "the tool that makes ext4")]
fn format(image: &Path) -> io::Result<()> {
    // No journal: a box that crashed is never mounted again. Nothing kept back for root.
    let features = "^has_journal,^resize_inode,sparse_super2,extent,uninit_bg";
    let done = Command::new("mkfs.ext4")
        .args([
            "-q",
            "-F",
            "-b",
            "4096",
            "-m",
            "0",
            "-O",
            features,
            "-E",
            "lazy_itable_init=1,nodiscard,num_backup_sb=0",
        ])
        .arg(image)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| io::Error::new(error.kind(), format!("`mkfs.ext4` does not start: {error}")))?;
    if done.status.success() {
        return remove_lost_and_found(image);
    }
    Err(io::Error::other(format!("`mkfs.ext4`: {}", String::from_utf8_lossy(&done.stderr).trim())))
}

/// The tool makes a directory that nobody has asked for.
fn remove_lost_and_found(image: &Path) -> io::Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(image)?;
    let mounted = attach(&file)?;
    rustix::fs::unlinkat(&mounted, "lost+found", AtFlags::REMOVEDIR)?;
    rustix::fs::chmodat(&mounted, ".", rustix::fs::Mode::from_raw_mode(0o700), AtFlags::empty())?;
    Ok(())
}

/// Copies what is not a hole.
fn copy_data(from: &File, to: &File) -> io::Result<()> {
    let mut piece = vec![0; 64 * 1024];
    let mut at = 0;
    loop {
        let begins = match rustix::fs::seek(from, rustix::fs::SeekFrom::Data(at)) {
            Ok(begins) => begins,
            // No more data after here.
            Err(rustix::io::Errno::NXIO) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        };
        let ends = rustix::fs::seek(from, rustix::fs::SeekFrom::Hole(begins))?;
        at = begins;
        while at < ends {
            let length = usize::try_from(ends - at).unwrap_or(usize::MAX).min(piece.len());
            let Some(part) = piece.get_mut(..length) else { break };
            from.read_exact_at(part, at)?;
            to.write_all_at(part, at)?;
            at += u64::try_from(length).unwrap_or_default();
        }
    }
}

/// The file system in `image`, attached to no directory.
fn attach(image: &File) -> io::Result<OwnedFd> {
    let (device, path) = loop_device(image)?;
    let context = rustix::mount::fsopen("ext4", FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_set_string(&context, "source", path.as_str())?;
    // A file that replaces another one is not written out at once: nobody reads it after a crash.
    rustix::mount::fsconfig_set_flag(&context, "noauto_da_alloc")?;
    rustix::mount::fsconfig_create(&context)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    let mounted = rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    // From here on the mount alone keeps the device; it frees itself with it.
    drop(device);
    Ok(mounted)
}

fn loop_device(image: &File) -> io::Result<(File, String)> {
    let control = OpenOptions::new().read(true).write(true).open("/dev/loop-control")?;
    let mut last = io::Error::other("no free loop device");
    for _ in 0..LOOP_TRIES {
        // SAFETY: this request takes no argument.
        let number = unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE) };
        if number < 0 {
            return Err(io::Error::last_os_error());
        }
        let path = format!("/dev/loop{number}");
        let device = OpenOptions::new().read(true).write(true).open(&path)?;
        match configure(&device, image) {
            Ok(()) => return Ok((device, path)),
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

fn configure(device: &File, image: &File) -> io::Result<()> {
    // SAFETY: all zero is a valid value of this plain structure.
    let mut config = unsafe { std::mem::zeroed::<LoopConfig>() };
    config.descriptor = image.as_raw_fd().cast_unsigned();
    config.block_size = 4_096;
    config.flags = AUTOCLEAR | DIRECT_IO;
    // SAFETY: the structure is the one this request takes, and it outlives the call.
    let done = unsafe { libc::ioctl(device.as_raw_fd(), LOOP_CONFIGURE, &raw const config) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

//! What the machine is made of: a kernel, its drivers and a static shell, from Debian's
//! packages, unpacked below the target directory and never installed. Fetched once; remove
//! the folder to fetch newer ones.
//!
//! Knows the packages; must not know how the machine is started.

use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::house::House;
use crate::machine;
use crate::process::Call;

/// The package that depends on the newest kernel. Not the smaller one for clouds, which
/// starts in half a second less: it cannot mount a folder of the host by 9p.
const KERNEL_PACKAGE: &str = "linux-image-amd64";
/// The package with a shell that needs no libraries.
const SHELL_PACKAGE: &str = "busybox-static";

/// The drivers in the order in which they load, as Debian 12 names them; each needs some of
/// those before it.
const MODULES: [&str; 19] = [
    "kernel/drivers/virtio/virtio_ring",
    "kernel/drivers/virtio/virtio",
    "kernel/drivers/virtio/virtio_pci_legacy_dev",
    "kernel/drivers/virtio/virtio_pci_modern_dev",
    "kernel/drivers/virtio/virtio_pci",
    "kernel/drivers/char/virtio_console",
    "kernel/drivers/block/virtio_blk",
    "kernel/fs/netfs/netfs",
    "kernel/fs/fscache/fscache",
    "kernel/net/9p/9pnet",
    "kernel/net/9p/9pnet_virtio",
    "kernel/fs/9p/9p",
    "kernel/lib/crc16",
    "kernel/crypto/crc32c_generic",
    "kernel/fs/mbcache",
    "kernel/fs/jbd2/jbd2",
    "kernel/fs/ext4/ext4",
    "kernel/drivers/block/loop",
    "kernel/fs/overlayfs/overlay",
];

/// The parts, all there.
pub struct Parts {
    folder: PathBuf,
}

impl Parts {
    /// The parts of this house, fetched if they are not there yet.
    pub fn provide(house: &House) -> Result<Self, Failure> {
        let parts = Self { folder: house.target.join("xtask").join("v2").join("parts") };
        if !parts.complete() {
            // Put together elsewhere, so that an interrupted fetch leaves nothing that looks complete.
            let next = Self { folder: house.scratch("v2/parts.next")? };
            next.fetch(house)?;
            house.scratch("v2/parts")?;
            std::fs::rename(&next.folder, &parts.folder).map_err(Failure::file(&next.folder))?;
        }
        Ok(parts)
    }

    /// The kernel, as an ELF file.
    pub fn kernel(&self) -> PathBuf {
        self.folder.join("vmlinux")
    }

    /// A static shell with its programs.
    pub fn busybox(&self) -> PathBuf {
        self.folder.join("busybox")
    }

    /// The names of the drivers, in the order in which they load, and their files.
    pub fn modules(&self) -> impl Iterator<Item = (&'static str, PathBuf)> {
        MODULES.iter().map(|path| (name(path), self.folder.join(name(path)).with_extension("ko")))
    }

    fn complete(&self) -> bool {
        self.kernel().exists() && self.busybox().exists() && self.modules().all(|(_, file)| file.exists())
    }

    fn fetch(&self, house: &House) -> Result<(), Failure> {
        machine::refresh_packages(house)?;
        let shell = machine::unpack(house, SHELL_PACKAGE, "v2/unpacked")?;
        copy(&shell.join("bin/busybox"), &self.busybox())?;
        let package = kernel_package(house)?;
        let version = package.trim_start_matches("linux-image-");
        let unpacked = machine::unpack(house, &package, "v2/unpacked")?;
        for ((_, file), path) in self.modules().zip(MODULES) {
            copy(&unpacked.join("lib/modules").join(version).join(path).with_extension("ko"), &file)?;
        }
        self.decompress(&unpacked.join("boot").join(format!("vmlinuz-{version}")))?;
        std::fs::remove_dir_all(&unpacked).map_err(Failure::file(&unpacked))
    }

    /// Decompresses the kernel once and here: in the machine it takes two seconds of each start.
    fn decompress(&self, image: &Path) -> Result<(), Failure> {
        let bytes = std::fs::read(image).map_err(Failure::file(image))?;
        let compressed = self.kernel().with_extension("xz");
        let payload = payload(&bytes).ok_or_else(|| Failure::Form {
            path: image.display().to_string(),
            problem: "no kernel compressed by xz is in it".to_owned(),
        })?;
        std::fs::write(&compressed, payload).map_err(Failure::file(&compressed))?;
        Call::new("xz", &self.folder).with(["--decompress"]).with([&compressed]).run()
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    std::fs::copy(from, to).map(drop).map_err(Failure::file(from))
}

/// `overlay` of `kernel/fs/overlayfs/overlay`.
fn name(path: &'static str) -> &'static str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The package of the newest kernel.
fn kernel_package(house: &House) -> Result<String, Failure> {
    let text = Call::new("apt-cache", &house.root).with(["depends", KERNEL_PACKAGE]).read()?;
    let mut words = text.split_whitespace().skip_while(|word| *word != "Depends:");
    let package = words.nth(1).filter(|package| package.starts_with("linux-image-"));
    package.map(str::to_owned).ok_or_else(|| Failure::Lacks(format!("the package {KERNEL_PACKAGE} of Debian")))
}

/// The compressed kernel inside a bootable image; the header's fields are those of Linux'
/// x86 boot protocol. The size of what is in it follows in 4 bytes, which xz does not know.
fn payload(image: &[u8]) -> Option<&[u8]> {
    let number = |place: usize| {
        let bytes = image.get(place..)?.first_chunk()?;
        usize::try_from(u32::from_le_bytes(*bytes)).ok()
    };
    let setup_sectors = usize::from(*image.get(0x1f1)?);
    let start = (setup_sectors + 1) * 512 + number(0x248)?;
    let payload = image.get(start..)?.get(..number(0x24c)?.checked_sub(4)?)?;
    payload.starts_with(b"\xfd7zXZ\0").then_some(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An image with one sector of setup and `payload` 16 bytes after it.
    fn image(payload: &[u8]) -> Vec<u8> {
        let mut image = vec![0; 1024 + 16];
        image[0x1f1] = 1;
        image[0x248] = 16;
        image[0x24c] = u8::try_from(payload.len()).expect("short");
        image.extend_from_slice(payload);
        image
    }

    #[test]
    fn the_kernel_is_found_in_its_image() {
        assert_eq!(payload(&image(b"\xfd7zXZ\0abcSIZE")), Some(&b"\xfd7zXZ\0abc"[..]));
    }

    #[test]
    fn what_is_no_image_or_otherwise_compressed_is_refused() {
        assert_eq!(payload(b""), None);
        assert_eq!(payload(&image(b"\x1f\x8babcdefgSIZE")), None);
        assert_eq!(payload(&image(b"\xfd7zXZ\0abcSIZE")[..1045]), None);
    }

    #[test]
    fn a_driver_is_named_by_its_file() {
        assert_eq!(name("kernel/fs/overlayfs/overlay"), "overlay");
    }
}

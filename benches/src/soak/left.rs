//! What a server has of its machine, and what of it is still there afterwards.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

/// The kernel lets go of some things a moment after their last user.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Where cgroups are.
const CGROUPS: &str = "/sys/fs/cgroup";
const CGROUP_DEPTH_MAX: usize = 8;

/// What this process has of its machine.
#[derive(Debug)]
pub struct Belongings {
    /// Descriptors, by what they lead to.
    pub descriptors: Vec<String>,
    /// Children, dead ones that nobody waited for included.
    pub children: BTreeSet<u32>,
    /// Directories in cgroup trees that bear its name.
    pub cgroups: Vec<PathBuf>,
    /// Mounts and loop devices that lead to its place.
    pub attached: Vec<String>,
    /// Files in its place.
    pub files: BTreeSet<PathBuf>,
}

impl Belongings {
    /// Looks, for a server whose boxes lie in `place`.
    pub fn look(place: &Path) -> io::Result<Self> {
        Ok(Self {
            descriptors: descriptors()?,
            children: children()?,
            cgroups: cgroups(place)?,
            attached: attached(place)?,
            files: files(place)?,
        })
    }

    /// Waits until nothing is left beyond what was there before, or patience is over. Files
    /// may stay that were there when the first box was gone: templates are kept.
    #[expect(clippy::disallowed_methods, reason = "the kernel does not tell when it has let go")]
    pub async fn settle(&self, before: &Self, place: &Path) -> io::Result<Vec<String>> {
        let begun = Instant::now();
        loop {
            let left = Self::look(place)?.beyond(before, &self.files);
            if left.is_empty() || begun.elapsed() > PATIENCE {
                return Ok(left);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    fn beyond(&self, before: &Self, kept: &BTreeSet<PathBuf>) -> Vec<String> {
        let mut left = Vec::new();
        if self.descriptors.len() > before.descriptors.len() {
            left.push(format!("{} descriptors: {:?}", self.descriptors.len(), self.descriptors));
        }
        left.extend(self.children.difference(&before.children).map(|pid| format!("process {pid}")));
        left.extend(self.cgroups.iter().map(|path| format!("cgroup `{}`", path.display())));
        left.extend(self.attached.iter().cloned());
        left.extend(self.files.difference(kept).map(|path| format!("file `{}`", path.display())));
        left
    }
}

/// Resident memory of this process.
pub fn resident_kib() -> io::Result<usize> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).ok_or(io::ErrorKind::InvalidData.into())
}

fn descriptors() -> io::Result<Vec<String>> {
    let open = fs::read_dir("/proc/self/fd")?.flatten();
    // The one that reads the directory is gone by now.
    Ok(open.filter_map(|entry| fs::read_link(entry.path()).ok()).map(|to| to.display().to_string()).collect())
}

fn children() -> io::Result<BTreeSet<u32>> {
    let own = std::process::id().to_string();
    let mut found = BTreeSet::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1));
        if parent == Some(own.as_str()) {
            found.insert(pid);
        }
    }
    Ok(found)
}

/// The name follows from the place, as the runtime has it.
fn cgroups(place: &Path) -> io::Result<Vec<PathBuf>> {
    let digest = Sha256::digest(place.canonicalize()?.as_os_str().as_encoded_bytes());
    let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let mut found = Vec::new();
    walk(Path::new(CGROUPS), &format!("aegis-{name}"), 0, &mut found);
    Ok(found)
}

fn walk(directory: &Path, name: &str, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        if entry.file_name() == name {
            found.push(entry.path());
        } else if depth < CGROUP_DEPTH_MAX {
            walk(&entry.path(), name, depth + 1, found);
        }
    }
}

fn attached(place: &Path) -> io::Result<Vec<String>> {
    let place = place.display().to_string();
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let mut found: Vec<String> =
        mounts.lines().filter(|line| line.contains(&place)).map(|line| format!("mount `{line}`")).collect();
    for device in fs::read_dir("/sys/block")?.flatten() {
        let file = fs::read_to_string(device.path().join("loop/backing_file")).unwrap_or_default();
        if file.contains(&place) {
            found.push(format!("loop device of `{}`", file.trim()));
        }
    }
    Ok(found)
}

fn files(place: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![place.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(directory)?.flatten() {
            if entry.file_type()?.is_dir() {
                waiting.push(entry.path());
            }
            found.insert(entry.path());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a process that is left is what is to be found")]
    fn what_is_left_is_told() {
        let place = tempfile::tempdir().expect("a directory");
        let kept = place.path().join("kept");
        fs::write(&kept, "").expect("written");
        let before = Belongings::look(place.path()).expect("a look");
        assert_eq!(before.beyond(&before, &before.files), Vec::<String>::new());
        let _descriptor = fs::File::create(place.path().join("file")).expect("a file");
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("a process");
        let left = Belongings::look(place.path()).expect("a look").beyond(&before, &before.files);
        child.kill().and_then(|()| child.wait()).expect("ended");
        for what in ["descriptors", "process ", "/file`"] {
            assert!(left.iter().any(|left| left.contains(what)), "{what}: {left:?}");
        }
        assert!(!left.iter().any(|left| left.contains("/kept`")), "{left:?}");
    }

    #[test]
    fn cgroups_and_what_is_attached_are_found_by_the_place() {
        let place = tempfile::tempdir().expect("a directory");
        assert_eq!(cgroups(place.path()).expect("a look"), Vec::<PathBuf>::new());
        // The root directory's name is in every line about a mount.
        assert!(!attached(Path::new("/")).expect("a look").is_empty());
        assert!(attached(place.path()).expect("a look").is_empty());
    }
}

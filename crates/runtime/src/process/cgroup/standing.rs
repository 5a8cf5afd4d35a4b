//! Where this process stands in the kernel's trees of cgroups, read from `mountinfo` and from
//! `/proc/self/cgroup`. Pure. Must not know: what is done at that place.

use std::path::{Component, Path, PathBuf};

/// Where a process stands in one tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The top of the tree, as far as it is seen here.
    pub top: PathBuf,
    /// The directory of the process itself; none if it lies outside of what is seen.
    pub own: Option<PathBuf>,
}

/// In the tree of version 1 that carries `resource`.
pub fn in_tree_of(resource: &str, mounts: &str, own: &str) -> Option<Standing> {
    let has = |names: &str| names.split(',').any(|name| name == resource);
    let path = lines(own).find(|(_, resources, _)| has(resources)).map(|(_, _, path)| path);
    stand(path, mounted(mounts).filter(|mount| mount.kind == "cgroup" && has(mount.options)))
}

/// In the one tree of version 2.
pub fn in_unified_tree(mounts: &str, own: &str) -> Option<Standing> {
    let path = lines(own).find(|(number, resources, _)| *number == "0" && resources.is_empty());
    stand(path.map(|(_, _, path)| path), mounted(mounts).filter(|mount| mount.kind == "cgroup2"))
}

/// Whether there is a tree of version 1 that carries `resource`.
pub fn has_tree_of(resource: &str, mounts: &str) -> bool {
    in_tree_of(resource, mounts, "").is_some()
}

/// Of several places where a tree is mounted, the first that shows the process counts.
fn stand<'t>(path: Option<&str>, trees: impl Iterator<Item = Mounted<'t>>) -> Option<Standing> {
    let mut first = None;
    for tree in trees {
        let own = path.and_then(|path| tree.shows(path));
        let standing = Standing { top: tree.point, own };
        if standing.own.is_some() {
            return Some(standing);
        }
        first.get_or_insert(standing);
    }
    first
}

/// Number, resources and path in each line of a `/proc/self/cgroup`. A path may hold colons.
fn lines(own: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    own.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':');
        Some((parts.next()?, parts.next()?, parts.next()?))
    })
}

/// A mount that `mountinfo` tells of.
struct Mounted<'t> {
    root: PathBuf,
    point: PathBuf,
    kind: &'t str,
    options: &'t str,
}

impl Mounted<'_> {
    /// Where a path of the tree is seen. One with `..` leads out of the namespace.
    fn shows(&self, path: &str) -> Option<PathBuf> {
        let below = Path::new(path).strip_prefix(&self.root).ok()?;
        let inside = below.components().all(|part| matches!(part, Component::Normal(_)));
        // A path of no parts would leave a slash at the end.
        let seen = || if below.as_os_str().is_empty() { self.point.clone() } else { self.point.join(below) };
        inside.then(seen)
    }
}

/// The mounts in a `mountinfo`: number, parent, device, root, point, options, any number of
/// further fields, a dash, kind, source, options of the file system.
fn mounted(mounts: &str) -> impl Iterator<Item = Mounted<'_>> {
    mounts.lines().filter_map(|line| {
        let (about, behind) = line.split_once(" - ")?;
        let mut about = about.split(' ').skip(3);
        let (root, point) = (plain(about.next()?), plain(about.next()?));
        let mut behind = behind.split(' ');
        let (kind, options) = (behind.next()?, behind.nth(1)?);
        Some(Mounted { root, point, kind, options })
    })
}

/// A path as it is: the kernel writes space, tab, newline and backslash as `\` and three octal
/// digits.
fn plain(path: &str) -> PathBuf {
    let mut pieces = path.split('\\');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let code = piece.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match (code, piece.get(3..)) {
            (Some(code), Some(rest)) => {
                plain.push(char::from(code));
                plain.push_str(rest);
            }
            _ => {
                plain.push('\\');
                plain.push_str(piece);
            }
        }
    }
    plain.into()
}

#[cfg(test)]
#[path = "standing_tests.rs"]
mod tests;
